// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_RUN_HPP
#define LOOPS_IMPL_RUN_HPP

#include <loops/spawn.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Calls `start` inside of a run of the loop and executes handlers until `done` gives true; false
// where the loop was stopped before. Where a thread of the loop's policy runs it, waits for that;
// `done` waits for as long as it is told to.
LOOPS_DECL bool run_until_done(event_loop& loop, const std::function<void()>& start,
    const std::function<bool(std::chrono::milliseconds)>& done);

} // namespace detail

// Ends what a main task left behind, on any way out.
struct runner::at_end
{
    runner& self;
    const int exceptions = std::uncaught_exceptions();

    // NOLINTNEXTLINE(bugprone-exception-escape): only where no other exception is under way
    ~at_end() noexcept(false)
    {
        try
        {
            self.finish();
        }
        catch (...)
        {
            if (std::uncaught_exceptions() == exceptions)
                throw;
        }
    }
};

template <class Function, class R>
R runner::run(Function function)
{
    check_outside();
    // Owned here: a call whose turn does not come in this run must not come in the next.
    const auto call = std::make_shared<std::packaged_task<R()>>(std::move(function));
    std::future<R> result = call->get_future();
    asio::post(get_loop(), [call = std::weak_ptr(call)] {
        if (const auto due = call.lock())
            (*due)();
    });
    const at_end end{*this};
    run_dry();
    if (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
        detail::throw_error(asio::error::operation_aborted,
            "running a function on a loop that was stopped before its turn came");
    return result.get();
}

#if defined(LOOPS_HAS_COROUTINES)

template <class T, class Executor>
T runner::run(asio::awaitable<T, Executor> task)
{
    check_outside();
    get_loop().restart();
    const at_end end{*this};
    return loop_->run_until_complete(std::move(task));
}

template <class T, class Executor>
T event_loop::run_until_complete(asio::awaitable<T, Executor> task)
{
    // The completion handler owns the signal: the coroutine may outlive this call.
    struct call
    {
        std::promise<T> promise;
        asio::cancellation_signal cancel;
    };
    const auto made = std::make_shared<call>();
    std::future<T> result = made->promise.get_future();
    const auto start = [&] {
        spawn(asio::io_context::get_executor(), std::move(task),
            asio::bind_cancellation_slot(
                made->cancel.slot(), [made](std::exception_ptr exception, auto... value) {
                    if (exception)
                        made->promise.set_exception(std::move(exception));
                    else
                        made->promise.set_value(std::move(value)...);
                }));
    };
    const auto done = [&](std::chrono::milliseconds time) {
        return result.wait_for(time) == std::future_status::ready;
    };
    if (!detail::run_until_done(*this, start, done))
    {
        // Where the completion runs as well.
        asio::post(*this, [made] { made->cancel.emit(asio::cancellation_type::terminal); });
        detail::throw_error(asio::error::operation_aborted,
            "running a coroutine on loop '" + name() + "', which was stopped before it had ended");
    }
    return result.get();
}

#endif

} // namespace LOOPS_ABI
} // namespace loops

#endif
