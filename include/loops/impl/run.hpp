// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_RUN_HPP
#define LOOPS_IMPL_RUN_HPP

#include <loops/spawn.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Runs handlers of the loop until `done()`; false where the loop was stopped before. Does nothing
// where a thread of the loop's policy runs it.
LOOPS_DECL bool run_until_done(event_loop& loop, const std::function<bool()>& done);

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
    std::packaged_task<R()> call(std::move(function));
    std::future<R> result = call.get_future();
    // Wrapped: Asio takes a packaged_task itself for a token that makes a future.
    asio::post(get_loop(), [call = std::move(call)]() mutable { call(); });
    {
        const at_end end{*this};
        run_dry();
        if (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
            detail::throw_error(asio::error::operation_aborted,
                "running a function on a loop that was stopped before its turn came");
    }
    return result.get();
}

#if defined(LOOPS_HAS_COROUTINES)

template <class T, class Executor>
T runner::run(asio::awaitable<T, Executor> task)
{
    check_outside();
    const at_end end{*this};
    return get_loop().run_until_complete(std::move(task));
}

template <class T, class Executor>
T event_loop::run_until_complete(asio::awaitable<T, Executor> task)
{
    auto promise = std::make_shared<std::promise<T>>();
    std::future<T> result = promise->get_future();
    asio::cancellation_signal cancel;
    spawn(asio::io_context::get_executor(), std::move(task),
        asio::bind_cancellation_slot(cancel.slot(),
            [promise = std::move(promise)](std::exception_ptr exception, auto... value) {
                if (exception)
                    promise->set_exception(std::move(exception));
                else
                    promise->set_value(std::move(value)...);
            }));
    const auto done = [&] {
        return result.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    };
    if (!detail::run_until_done(*this, done))
    {
        cancel.emit(asio::cancellation_type::terminal);
        detail::throw_error(asio::error::operation_aborted,
            "running a coroutine on loop '" + name() + "', which was stopped before it had ended");
    }
    return result.get();
}

#endif

} // namespace LOOPS_ABI
} // namespace loops

#endif
