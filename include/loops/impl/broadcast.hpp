// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_BROADCAST_HPP
#define LOOPS_IMPL_BROADCAST_HPP

#include <loops/detail/mail.hpp>
#include <loops/detail/no_executor.hpp>
#include <loops/detail/reply.hpp>
#include <loops/detail/task_hook.hpp>
#include <loops/error.hpp>
#include <loops/event_loop.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>

#include <atomic>
#include <cstddef>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// One broadcast under way; it goes home by mail itself. `left_` counts calls that have not ended, and
// the one that brings it to 0 completes. `refs_` counts who may still use the memory: calls that wait,
// cancelled ones too; the cancellation slot; and the completion.
template <class Function, class Handler, class Fallback>
class broadcast_op final : public mail
{
    using handler_executor = asio::associated_executor_t<Handler, Fallback>;
    using path = reply_path<handler_executor>;
    using results = std::tuple<std::exception_ptr>;

    template <class T>
    using allocator_for = typename std::allocator_traits<
        asio::associated_allocator_t<Handler>>::template rebind_alloc<T>;

public:
    // `for_each` is called with what is to be called with each loop.
    template <class ForEach>
    static void start(
        Function function, Handler handler, const Fallback& fallback, ForEach&& for_each)
    {
        allocator_for<broadcast_op> alloc(asio::get_associated_allocator(handler));
        using traits = std::allocator_traits<allocator_for<broadcast_op>>;
        broadcast_op* const it = traits::allocate(alloc, 1);
        try
        {
            ::new (static_cast<void*>(it)) broadcast_op(std::move(handler), fallback);
        }
        catch (...)
        {
            traits::deallocate(alloc, it, 1);
            throw;
        }
        it->send_all(function, std::forward<ForEach>(for_each));
    }

    void deliver() override
    {
        clear_slot(*handler_);
        Handler handler = std::move(*handler_);
        results with(std::move(exception_));
        const path home = std::move(*home_);
        release(); // the memory is back before the handler runs
        std::apply(std::move(handler), std::move(with));
    }

    void discard() noexcept override
    {
        handler_.reset();
        home_.reset();
        release();
    }

private:
    // On its way to a loop.
    class call final : public mail
    {
    public:
        call(broadcast_op& of, const Function& function) : of_(of), function_(function) {}

        bool claim() noexcept { return !claimed_.exchange(true, std::memory_order_acq_rel); }

        void deliver() override
        {
            if (!claim())
            {
                of_.release();
                return;
            }
            try
            {
                Function function = std::move(*function_);
                function_.reset();
                function();
            }
            catch (...)
            {
                of_.fail(std::current_exception());
            }
            of_.returned();
        }

        void discard() noexcept override
        {
            if (!claim())
            {
                of_.release();
                return;
            }
            function_.reset();
            of_.fail(closed());
            of_.returned();
        }

    private:
        broadcast_op& of_;
        std::optional<Function> function_;
        std::atomic<bool> claimed_{false};
    };

    class canceller
    {
    public:
        explicit canceller(broadcast_op& of) noexcept : of_(&of) { of.refs_.fetch_add(1); }
        canceller(canceller&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
        canceller& operator=(canceller&&) = delete;
        ~canceller()
        {
            if (of_ != nullptr)
                of_->release();
        }
        void operator()(asio::cancellation_type) { of_->abort(); }

    private:
        broadcast_op* of_;
    };

    broadcast_op(Handler handler, const Fallback& fallback)
        : home_(std::in_place, asio::get_associated_executor(handler, fallback)),
          calls_(allocator_for<call>(asio::get_associated_allocator(handler))),
          handler_(std::move(handler))
    {}

    ~broadcast_op() = default;

    static std::exception_ptr closed()
    {
        return std::make_exception_ptr(system_error(
            error::loop_closed, "calling a function on one of the loops that are told"));
    }

    // Counts as a call itself, so that nothing completes meanwhile.
    template <class ForEach>
    void send_all(const Function& function, ForEach&& for_each)
    {
        try
        {
            for_each([&](asio::io_context& loop) {
                calls_.emplace_back(*this, function);
                left_.fetch_add(1, std::memory_order_relaxed);
                refs_.fetch_add(1, std::memory_order_relaxed);
                loop_record* const to = open_record(loop);
                if (to == nullptr || !send(*to, calls_.back()))
                    calls_.back().discard();
            });
        }
        catch (...)
        {
            fail(std::current_exception());
        }
        auto slot = asio::get_associated_cancellation_slot(*handler_);
        if (slot.is_connected())
            slot.assign(canceller(*this));
        end(1);
    }

    // The first one is kept.
    void fail(std::exception_ptr exception) noexcept
    {
        if (!failed_.exchange(true, std::memory_order_acq_rel))
            exception_ = std::move(exception);
    }

    void returned()
    {
        // In this order: the completion's reference is there until all calls have ended, and is the
        // only one then, if none was cancelled.
        refs_.fetch_sub(1, std::memory_order_acq_rel);
        end(1);
    }

    void end(std::size_t calls)
    {
        if (left_.fetch_sub(calls, std::memory_order_acq_rel) == calls)
            complete();
    }

    void abort()
    {
        std::size_t left_out = 0;
        for (call& each : calls_)
            left_out += each.claim() ? 1U : 0U;
        if (left_out == 0)
            return;
        fail(std::make_exception_ptr(
            system_error(asio::error::operation_aborted, "the broadcast was cancelled")));
        end(left_out);
    }

    void complete()
    {
        if (loop_record* const home = home_->by_mail())
        {
            if (!send(*home, *this))
                discard();
            return;
        }
        const handler_executor to = home_->executor();
        Handler handler = std::move(*handler_);
        reply<path, Handler, results> back{
            std::move(handler), std::move(*home_), true, results(std::move(exception_))};
        release();
        asio::post(to, std::move(back));
    }

    void release() noexcept
    {
        if (refs_.fetch_sub(1, std::memory_order_acq_rel) != 1)
            return;
        allocator_for<broadcast_op> alloc(calls_.get_allocator());
        this->~broadcast_op();
        std::allocator_traits<allocator_for<broadcast_op>>::deallocate(alloc, this, 1);
    }

    std::atomic<std::size_t> left_{1};
    std::atomic<std::size_t> refs_{1};
    std::atomic<bool> failed_{false};
    std::exception_ptr exception_;
    std::optional<path> home_;
    std::list<call, allocator_for<call>> calls_;
    std::optional<Handler> handler_;
};

template <class Handler, class Function, class ForEach>
void start_broadcast(Handler&& handler, Function function, ForEach&& for_each)
{
    using handler_type = std::decay_t<Handler>;
    asio::io_context* const running = has_executor<handler_type> ? nullptr : try_get_running_loop();
    if (running != nullptr)
        broadcast_op<Function, handler_type, asio::io_context::executor_type>::start(
            std::move(function), std::forward<Handler>(handler), running->get_executor(), for_each);
    else
        broadcast_op<Function, handler_type, asio::system_executor>::start(
            std::move(function), std::forward<Handler>(handler), asio::system_executor(), for_each);
}

} // namespace detail

template <class Function, BOOST_ASIO_COMPLETION_TOKEN_FOR(void(std::exception_ptr)) CompletionToken>
auto async_broadcast(event_loop_policy& policy, Function function, CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, void(std::exception_ptr)>(
        [&policy](auto&& handler, Function what) {
            detail::start_broadcast(std::forward<decltype(handler)>(handler), std::move(what),
                [&policy](const auto& visit) { policy.for_each_loop(visit); });
        },
        token, std::move(function));
}

template <class Function, BOOST_ASIO_COMPLETION_TOKEN_FOR(void(std::exception_ptr)) CompletionToken>
auto async_broadcast(
    std::vector<asio::io_context*> loops, Function function, CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, void(std::exception_ptr)>(
        [](auto&& handler, Function what, const std::vector<asio::io_context*>& all) {
            detail::start_broadcast(std::forward<decltype(handler)>(handler), std::move(what),
                [&all](const auto& visit) {
                    for (asio::io_context* const each : all)
                        visit(*each);
                });
        },
        token, std::move(function), std::move(loops));
}

} // namespace LOOPS_ABI
} // namespace loops

#endif
