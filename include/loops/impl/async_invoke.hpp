// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_ASYNC_INVOKE_HPP
#define LOOPS_IMPL_ASYNC_INVOKE_HPP

#include <loops/detail/task_hook.hpp>
#include <loops/event_loop.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// A handler on its way to its executor, with what it completes with. The work goes with it: the
// handler's loop may be gone as soon as it has run.
template <class Work, class Handler, class... Results>
struct invoked
{
    using allocator_type = asio::associated_allocator_t<Handler>;
    Handler handler;
    Work work;
    bool in_slot; // whether the call has a cancellation handler there
    std::tuple<std::exception_ptr, Results...> results;

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

// The end of a call that is refused by its loop, where no handler runs any more.
template <class Result, class Handler, class Executor>
void refuse_invocation(const Executor& executor, Handler handler)
{
    auto exception = std::make_exception_ptr(
        system_error(error::loop_closed, "calling a function on a closed loop"));
    const auto to = asio::get_associated_executor(handler, executor);
    using none = std::tuple<>;
    if constexpr (std::is_void_v<Result>)
        asio::post(
            to, invoked<none, Handler>{std::move(handler), none(), false, {std::move(exception)}});
    else
        asio::post(to, invoked<none, Handler, Result>{
                           std::move(handler), none(), false, {std::move(exception), Result()}});
}

// One call under way. It belongs to whoever claims it: the loop that calls, or the cancellation.
template <class Function, class Handler>
class invocation : public std::enable_shared_from_this<invocation<Function, Handler>>
{
    using result = std::invoke_result_t<Function&>;
    using fallback = asio::io_context::executor_type;
    using handler_executor = asio::associated_executor_t<Handler, fallback>;

public:
    invocation(asio::io_context& caller, Function function, Handler handler)
        : executor_(asio::get_associated_executor(handler, caller.get_executor())),
          work_(executor_),
          function_(std::move(function)),
          handler_(std::move(handler))
    {}

    void start(asio::io_context& loop)
    {
        auto self = this->shared_from_this();
        auto slot = asio::get_associated_cancellation_slot(*handler_);
        if (slot.is_connected())
            slot.assign(canceller{this->weak_from_this()});
        asio::post(loop, [self = std::move(self)] { self->call(); });
    }

private:
    struct canceller
    {
        std::weak_ptr<invocation> of;
        void operator()(asio::cancellation_type)
        {
            if (const auto call = of.lock())
                call->abort();
        }
    };

    bool claim() noexcept { return !claimed_.exchange(true, std::memory_order_acq_rel); }

    void call()
    {
        if (!claim())
            return;
        std::exception_ptr exception;
        try
        {
            if constexpr (std::is_void_v<result>)
            {
                take()();
            }
            else
            {
                result value = take()();
                complete(nullptr, std::move(value));
                return;
            }
        }
        catch (...)
        {
            exception = std::current_exception();
        }
        complete_exception(std::move(exception));
    }

    // The function is gone when it has returned, before the completion is on its way: what it owns
    // belongs to the loop it ran on.
    Function take()
    {
        Function function = std::move(*function_);
        function_.reset();
        return function;
    }

    void abort()
    {
        if (claim())
            complete_exception(std::make_exception_ptr(
                system_error(asio::error::operation_aborted, "the call was cancelled")));
    }

    void complete_exception(std::exception_ptr exception)
    {
        if constexpr (std::is_void_v<result>)
            complete(std::move(exception));
        else
            complete(std::move(exception), result());
    }

    template <class... Results>
    void complete(std::exception_ptr exception, Results... results)
    {
        Handler handler = std::move(*handler_);
        handler_.reset();
        using work = asio::executor_work_guard<handler_executor>;
        asio::post(executor_,
            invoked<work, Handler, Results...>{std::move(handler), std::move(work_), true,
                std::tuple<std::exception_ptr, Results...>(
                    std::move(exception), std::move(results)...)});
    }

    const handler_executor executor_;
    asio::executor_work_guard<handler_executor> work_;
    std::optional<Function> function_;
    std::optional<Handler> handler_;
    std::atomic<bool> claimed_{false};
};

} // namespace detail

template <class Function,
    BOOST_ASIO_COMPLETION_TOKEN_FOR(
        typename detail::invoke_signature<std::invoke_result_t<Function&>>::type) CompletionToken>
auto async_invoke(asio::io_context& loop, Function function, CompletionToken&& token)
{
    using signature = typename detail::invoke_signature<std::invoke_result_t<Function&>>::type;
    return asio::async_initiate<CompletionToken, signature>(
        [&loop](auto&& handler, Function what) {
            using handler_type = std::decay_t<decltype(handler)>;
            using operation = detail::invocation<Function, handler_type>;
            asio::io_context* const running = try_get_running_loop();
            if (detail::is_closed(loop))
            {
                using result = std::invoke_result_t<Function&>;
                if (running != nullptr)
                    detail::refuse_invocation<result, handler_type>(
                        running->get_executor(), std::forward<decltype(handler)>(handler));
                else
                    detail::refuse_invocation<result, handler_type>(
                        asio::system_executor(), std::forward<decltype(handler)>(handler));
                return;
            }
            const auto alloc = asio::get_associated_allocator(handler);
            std::allocate_shared<operation>(alloc, running != nullptr ? *running : loop,
                std::move(what), std::forward<decltype(handler)>(handler))
                ->start(loop);
        },
        token, std::move(function));
}

} // namespace LOOPS_ABI
} // namespace loops

#endif
