// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_PENDING_WAIT_HPP
#define LOOPS_SRC_DETAIL_PENDING_WAIT_HPP

#include <loops/config.hpp>
#include <loops/detail/io_context_of.hpp>
#include <loops/error.hpp>

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// A handler that waits, and what its executor waits for it by.
template <class Result>
class pending_wait
{
public:
    using handler_type = asio::any_completion_handler<void(error_code, Result)>;

    pending_wait(std::uint64_t number, handler_type handler)
        : id_(number), handler_(std::move(handler))
    {
        executor_ = asio::get_associated_executor(handler_, asio::any_completion_executor());
        if (executor_)
            executor_ = asio::prefer(executor_, asio::execution::outstanding_work.tracked);
    }

    std::uint64_t id() const noexcept { return id_; }

    // Whether it goes with that loop, to which what has no executor is attached.
    bool is_of(asio::io_context& loop) const
    {
        return !executor_ || io_context_of(executor_) == &loop;
    }

    // On its executor, or that loop's; not in here.
    void complete(
        const asio::io_context::executor_type& otherwise, const error_code& ec, Result result) &&
    {
        asio::post(otherwise, asio::append(std::move(handler_), ec, std::move(result)));
    }

    // Has the handler's cancellation call `owner->cancel(id)`, on the thread that cancels, as long as that lives.
    template <class Owner>
    void connect(std::weak_ptr<Owner> owner) const
    {
        auto slot = asio::get_associated_cancellation_slot(handler_);
        if (!slot.is_connected())
            return;
        slot.assign([owner = std::move(owner), id = id_](asio::cancellation_type type) {
            const auto it = owner.lock();
            if (it && type != asio::cancellation_type::none)
                it->cancel(id);
        });
    }

private:
    std::uint64_t id_;
    handler_type handler_;
    asio::any_completion_executor executor_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
