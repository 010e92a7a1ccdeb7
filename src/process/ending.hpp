// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PROCESS_ENDING_HPP
#define LOOPS_SRC_PROCESS_ENDING_HPP

#include <loops/config.hpp>
#include <loops/process/stop_ladder.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/post.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What the operations on programs that run here have in common.

bool is_valid(const stop_ladder& ladder) noexcept;

// Has the handler's cancellation call a function with the object that `owner` points to, on that object's
// executor, as long as there is one. The slot, which may outlive the loop, keeps nothing of it.
template <class Handler, class Owner, class Function>
void connect_cancellation(const Handler& handler, const Owner& owner, Function function)
{
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (!slot.is_connected())
        return;
    slot.assign([owner, function](asio::cancellation_type type) {
        const auto self = owner.lock();
        if (self && type != asio::cancellation_type::none)
            asio::post(self->get_executor(), [self, function] { function(*self); });
    });
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
