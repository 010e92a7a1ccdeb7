// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/loop_local.hpp>
#include <loops/policy/guest_policy.hpp>

#include "detail/policy_core.hpp"

#include <mutex>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

using held_guest = std::shared_ptr<loop_guest>;

} // namespace

struct guest_policy::impl
{
    impl(std::string called, const guest_function& make)
        : title(std::move(called)), guests([make](asio::io_context& loop) {
              auto held = std::make_shared<held_guest>(make(loop));
              add_guest(loop, *held);
              return held;
          })
    {}

    const std::string title;
    const loop_local<held_guest> guests;
};

guest_policy::guest_policy(
    std::string title, const guest_function& make, std::shared_ptr<event_loop_policy> inner)
    : wrapping_policy(std::move(inner)), impl_(std::make_shared<impl>(std::move(title), make))
{
    if (asio::io_context* const loop = existing_event_loop())
        guest_of(*loop);
    // Not when a loop is asked for: another thread may close the policy, and the loop, just then.
    const std::lock_guard lock(core()->mutex);
    core()->furnishers.emplace_back(
        [impl = impl_](asio::io_context& loop) { impl->guests.get(loop); });
}

guest_policy::~guest_policy() = default;

std::string guest_policy::name() const
{
    return impl_->title + '/' + inner()->name();
}

std::shared_ptr<loop_guest> guest_policy::guest_of(asio::io_context& loop)
{
    return impl_->guests.get(loop);
}

void guest_policy::set_event_loop(asio::io_context* loop)
{
    wrapping_policy::set_event_loop(loop);
    if (loop != nullptr)
        guest_of(*loop);
}

} // namespace LOOPS_ABI
} // namespace loops
