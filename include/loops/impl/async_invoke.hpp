// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_ASYNC_INVOKE_HPP
#define LOOPS_IMPL_ASYNC_INVOKE_HPP

#include <loops/detail/mail.hpp>
#include <loops/detail/no_executor.hpp>
#include <loops/detail/reply.hpp>
#include <loops/detail/task_hook.hpp>
#include <loops/event_loop.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// One call under way: mail to the loop that calls and then, where it can be, back to the handler's.
// The handler belongs to whoever claims it: the loop that calls, or the cancellation.
template <class Function, class Handler>
class invocation final : public mail
{
    using fallback = asio::io_context::executor_type;
    using handler_executor = asio::associated_executor_t<Handler, fallback>;
    using path = reply_path<handler_executor>;
    using outcome = outcome_of<Function>;
    using results = typename outcome::results;

public:
    invocation(asio::io_context& caller, Function function, Handler handler)
        : home_(std::in_place, asio::get_associated_executor(handler, caller.get_executor())),
          function_(std::move(function)),
          handler_(std::move(handler))
    {}

    static void start(std::shared_ptr<invocation> call, loop_record& loop)
    {
        invocation& it = *call;
        auto slot = asio::get_associated_cancellation_slot(*it.handler_);
        if (slot.is_connected())
            slot.assign(canceller{call});
        it.self_ = std::move(call);
        if (!send(loop, it))
            it.discard(); // closed at this moment
    }

    void deliver() override
    {
        auto self = std::move(self_);
        if (called_)
            complete(std::move(self));
        else if (claim())
            call(std::move(self));
    }

    void discard() noexcept override { self_.reset(); }

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

    void call(std::shared_ptr<invocation> self)
    {
        called_ = true;
        try
        {
            if constexpr (std::is_void_v<std::invoke_result_t<Function&>>)
            {
                take()();
                results_.emplace(nullptr);
            }
            else
            {
                results_.emplace(nullptr, take()());
            }
        }
        catch (...)
        {
            results_.emplace(outcome::failed(std::current_exception()));
        }
        loop_record* const home = home_->by_mail();
        if (home == nullptr)
        {
            post(std::move(*results_), std::move(self));
            return;
        }
        self_ = std::move(self);
        if (!send(*home, *this))
            discard();
    }

    // The function is gone when it has returned, before the completion is on its way: what it owns
    // belongs to the loop it ran on.
    Function take()
    {
        Function function = std::move(*function_);
        function_.reset();
        return function;
    }

    // The call waits for its loop all the same, and is not what goes home.
    void abort()
    {
        if (claim())
            post(outcome::failed(std::make_exception_ptr(
                system_error(asio::error::operation_aborted, "the call was cancelled"))));
    }

    void post(results with, std::shared_ptr<invocation> self = nullptr)
    {
        const handler_executor to = home_->executor();
        Handler handler = std::move(*handler_);
        handler_.reset();
        reply<path, Handler, results> back{
            std::move(handler), std::move(*home_), true, std::move(with)};
        self.reset(); // the memory is back before the handler runs
        asio::post(to, std::move(back));
    }

    // At home, by mail.
    void complete(std::shared_ptr<invocation> self)
    {
        clear_slot(*handler_);
        Handler handler = std::move(*handler_);
        results with = std::move(*results_);
        const path home = std::move(*home_);
        self.reset(); // the memory is back before the handler runs
        std::apply(std::move(handler), std::move(with));
    }

    std::shared_ptr<invocation> self_; // while it is mail
    bool called_ = false;
    std::atomic<bool> claimed_{false};
    std::optional<path> home_;
    std::optional<Function> function_;
    std::optional<Handler> handler_;
    std::optional<results> results_;
};

} // namespace detail

template <class Function, BOOST_ASIO_COMPLETION_TOKEN_FOR(
                              typename detail::outcome_of<Function>::signature) CompletionToken>
auto async_invoke(asio::io_context& loop, Function function, CompletionToken&& token)
{
    using outcome = detail::outcome_of<Function>;
    return asio::async_initiate<CompletionToken, typename outcome::signature>(
        [&loop](auto&& handler, Function what) {
            using handler_type = std::decay_t<decltype(handler)>;
            using operation = detail::invocation<Function, handler_type>;
            asio::io_context* const running =
                detail::has_executor<handler_type> ? nullptr : try_get_running_loop();
            detail::loop_record* const record = detail::open_record(loop);
            if (record == nullptr)
            {
                auto refused = outcome::failed(std::make_exception_ptr(
                    system_error(error::loop_closed, "calling a function on a closed loop")));
                if (running != nullptr)
                    detail::refuse<handler_type>(running->get_executor(),
                        std::forward<decltype(handler)>(handler), std::move(refused));
                else
                    detail::refuse<handler_type>(asio::system_executor(),
                        std::forward<decltype(handler)>(handler), std::move(refused));
                return;
            }
            const auto alloc = asio::get_associated_allocator(handler);
            operation::start(
                std::allocate_shared<operation>(alloc, running != nullptr ? *running : loop,
                    std::move(what), std::forward<decltype(handler)>(handler)),
                *record);
        },
        token, std::move(function));
}

} // namespace LOOPS_ABI
} // namespace loops

#endif
