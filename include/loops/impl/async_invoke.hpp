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

#include <atomic>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

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
        if (is_closed(loop))
        {
            fail(error::loop_closed, "calling a function on a closed loop");
            return;
        }
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
                call->fail(asio::error::operation_aborted, "the call was cancelled");
        }
    };

    bool claim() noexcept { return !claimed_.exchange(true, std::memory_order_acq_rel); }

    void call()
    {
        if (!claim())
            return;
        // The function goes before the completion: what it owns belongs to the loop it ran on.
        Function function = std::move(*function_);
        function_.reset();
        try
        {
            if constexpr (std::is_void_v<result>)
            {
                function();
                complete(nullptr);
            }
            else
            {
                complete(nullptr, function());
            }
        }
        catch (...)
        {
            complete_exception(std::current_exception());
        }
    }

    void fail(error_code ec, const char* what)
    {
        if (claim())
            complete_exception(std::make_exception_ptr(system_error(ec, what)));
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
        const auto work = std::move(work_);
        asio::post(executor_, bound<Handler, Results...>{std::move(handler),
                                  std::tuple<std::exception_ptr, Results...>(
                                      std::move(exception), std::move(results)...)});
    }

    template <class H, class... Results>
    struct bound
    {
        using allocator_type = asio::associated_allocator_t<H>;
        H handler;
        std::tuple<std::exception_ptr, Results...> results;

        allocator_type get_allocator() const noexcept
        {
            return asio::get_associated_allocator(handler);
        }
        void operator()() { std::apply(std::move(handler), std::move(results)); }
    };

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
            using operation = detail::invocation<Function, std::decay_t<decltype(handler)>>;
            asio::io_context* const running = try_get_running_loop();
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
