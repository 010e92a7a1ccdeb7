// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_REPLY_HPP
#define LOOPS_DETAIL_REPLY_HPP

#include <loops/detail/io_context_of.hpp>
#include <loops/detail/mail.hpp>
#include <loops/detail/task_hook.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#if defined(LOOPS_HAS_IMMEDIATE_EXECUTORS)
#include <boost/asio/associated_immediate_executor.hpp>
#include <boost/asio/dispatch.hpp>
#else
#include <boost/asio/post.hpp>
#endif

#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The way back to a handler's executor, which is kept at work until then: by mail where that is the
// plain executor of a loop that is known, else by what posts there.
template <class Executor>
class reply_path
{
    using guard = asio::executor_work_guard<Executor>;

public:
    explicit reply_path(const Executor& executor) : to_(hold(executor)) {}

    // Null: not by mail.
    loop_record* by_mail() const noexcept
    {
        const auto* const address = std::get_if<mail_address>(&to_);
        return address != nullptr ? address->record() : nullptr;
    }

    Executor executor() const
    {
        if constexpr (std::is_convertible_v<asio::io_context::executor_type, Executor>)
        {
            if (const auto* const address = std::get_if<mail_address>(&to_))
                return address->loop().get_executor();
        }
        return std::get<guard>(to_).get_executor();
    }

private:
    static std::variant<mail_address, guard> hold(const Executor& executor)
    {
        if (asio::io_context* const loop = plain_io_context_of(executor))
            return mail_address(*loop);
        return guard(executor);
    }

    std::variant<mail_address, guard> to_;
};

// A handler on its way to its executor, with what it completes with. The work goes with it: the
// handler's loop may be gone as soon as it has run.
template <class Work, class Handler, class Results>
struct reply
{
    using allocator_type = asio::associated_allocator_t<Handler>;
    Handler handler;
    Work work;
    bool in_slot;    // whether the operation has a cancellation handler there
    Results results; // a tuple

    allocator_type get_allocator() const noexcept
    {
        return asio::get_associated_allocator(handler);
    }
    void operator()()
    {
        if (in_slot)
            clear_slot(handler);
        std::apply(std::move(handler), std::move(results));
    }
};

// The end of an operation that a closed loop refuses: on the handler's executor, else on another one.
template <class Handler, class Executor, class Results>
void refuse(const Executor& executor, Handler handler, Results results)
{
    const auto to = asio::get_associated_executor(handler, executor);
    reply<std::tuple<>, Handler, Results> it{
        std::move(handler), std::tuple<>(), false, std::move(results)};
#if defined(LOOPS_HAS_IMMEDIATE_EXECUTORS)
    // Which posts there, unless the handler has brought another one.
    const auto at = asio::get_associated_immediate_executor(it.handler, to);
    asio::dispatch(at, std::move(it));
#else
    asio::post(to, std::move(it));
#endif
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
