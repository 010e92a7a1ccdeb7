// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_RUN_HPP
#define LOOPS_RUN_HPP

#include <loops/event_loop.hpp>
#include <loops/policy.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

/// Runs any loop on the calling thread, as `io_context::run()`, with the run recorded: inside of
/// its handlers `get_event_loop()` and `get_running_loop()` give it.
///
/// A different loop nests. What was running before is so again on any way out.
///
/// @return The number of handlers that ran.
/// @throws system_error with `error::already_running` inside of the same loop, or
/// `error::loop_closed`; otherwise what a handler throws.
inline std::size_t run_loop(asio::io_context& loop)
{
    return detail::run_all(loop);
}

/// The same for a duration at the most.
template <class Rep, class Period>
std::size_t run_loop_for(asio::io_context& loop, const std::chrono::duration<Rep, Period>& time)
{
    return detail::run_all_until(loop, detail::after(time));
}

/// The same until a time at the latest.
template <class Clock, class Duration>
std::size_t run_loop_until(
    asio::io_context& loop, const std::chrono::time_point<Clock, Duration>& time)
{
    return detail::run_all_until(loop, detail::to_steady(time));
}

/// The same for what is ready, without waiting.
inline std::size_t poll_loop(asio::io_context& loop)
{
    return detail::poll_all(loop);
}

/// A loop that runs one main task after another, and is closed at the end.
///
/// What asyncio's `Runner` is: for programs and tests that want the same loop for several calls.
///
/// @par Thread safety
/// Unsafe: one thread makes, uses and destroys it.
class LOOPS_DECL runner
{
public:
    /// Makes a loop by the policy of this thread.
    /// @throws What event_loop_policy::new_event_loop() throws.
    runner();

    runner(const runner&) = delete;
    runner& operator=(const runner&) = delete;

    /// As close().
    ~runner();

    /// The loop.
    /// @throws system_error with `error::loop_closed` after close().
    event_loop& get_loop();

    /// Calls a function on the loop and runs the loop until it is out of work.
    ///
    /// What the function started is its work. A task that is to end earlier calls
    /// `event_loop::request_stop()`; tasks of loops::spawn() that are left are then cancelled, and
    /// waited for.
    ///
    /// @return What the function returned.
    /// @throws What the function, or another handler, threw; system_error with
    /// `error::already_running` inside of a running loop, which is unharmed.
    template <class Function, class R = std::invoke_result_t<Function&>>
    R run(Function function);

#if defined(LOOPS_HAS_COROUTINES)
    /// Runs the loop until a coroutine has ended; cancels other spawned tasks, and waits for them.
    ///
    /// @return What the coroutine returned.
    /// @throws What the coroutine threw; otherwise as above.
    template <class T, class Executor>
    T run(asio::awaitable<T, Executor> task);
#endif

    /// Cancels the spawned tasks that are left, waits for them, and closes the loop. Twice is
    /// nothing.
    void close();

private:
    struct at_end;

    void check_outside() const;
    void run_dry();
    void finish();

    // The loop's policy, so that the loop cannot outlive what it came from.
    std::shared_ptr<event_loop_policy> policy_;
    std::unique_ptr<event_loop> loop_;
};

/// Runs a function as a program's main task: makes a loop by the policy of this thread, calls the
/// function there, runs the loop until it is out of work, and closes it. See runner::run().
///
/// The calling thread's current loop is afterwards what it was before.
///
/// @return What the function returned.
/// @throws As runner::run().
template <class Function, class R = std::invoke_result_t<Function&>>
R run(Function function)
{
    runner once;
    return once.run(std::move(function));
}

#if defined(LOOPS_HAS_COROUTINES)
/// Runs a coroutine as a program's main task. See runner::run().
template <class T, class Executor>
T run(asio::awaitable<T, Executor> task)
{
    runner once;
    return once.run(std::move(task));
}
#endif

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/run.hpp>

#endif
