// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_RUN_HPP
#define LOOPS_RUN_HPP

#include <loops/event_loop.hpp>
#include <loops/policy.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

/// Runs any loop on the calling thread, as `io_context::run()`, with the run recorded: inside of
/// its handlers `get_event_loop()` and `get_running_loop()` give it.
///
/// A different loop nests. What was running before is so again on any way out. It ends for want of
/// work, or stopped, and leaves the loop stopped either way, as Asio does: `restart()` it before
/// the next run.
///
/// @return The number of handlers that ran.
/// @throws system_error with `error::already_running` inside of the same loop, or where the loop
/// was made for one thread and another one runs it; with `error::loop_closed`; otherwise what a
/// handler throws.
inline std::size_t run_loop(asio::io_context& loop)
{
    return detail::run_all(loop);
}

/// Runs any loop for a duration at the most, as `io_context::run_for()`, with the run recorded.
///
/// It ends earlier for want of work, or stopped, as run_loop() does.
///
/// @return The number of handlers that ran; 0 where none came in time.
/// @throws As run_loop().
template <class Rep, class Period>
std::size_t run_loop_for(asio::io_context& loop, const std::chrono::duration<Rep, Period>& time)
{
    return detail::run_all_until(loop, detail::after(time));
}

/// Runs any loop until a time at the latest, as `io_context::run_until()`, with the run recorded.
///
/// It ends earlier for want of work, or stopped, as run_loop() does. The time is read against its
/// clock once.
///
/// @return The number of handlers that ran; 0 where none came in time.
/// @throws As run_loop().
template <class Clock, class Duration>
std::size_t run_loop_until(
    asio::io_context& loop, const std::chrono::time_point<Clock, Duration>& time)
{
    return detail::run_all_until(loop, detail::to_steady(time));
}

/// Runs those handlers of any loop that are ready, without waiting, as `io_context::poll()`, with
/// the run recorded.
///
/// @return The number of handlers that ran. A loop that has no work left, not even some to wait
/// for, is stopped then, as by run_loop().
/// @throws As run_loop().
inline std::size_t poll_loop(asio::io_context& loop)
{
    return detail::poll_all(loop);
}

/// A loop that runs one main task after another, and is closed at the end.
///
/// What asyncio's `Runner` is: for programs and tests that want the same loop for several calls.
/// The calling thread runs the loop, whatever the policy.
///
/// @par Thread safety
/// Unsafe: one thread makes, uses and destroys it.
class LOOPS_DECL runner
{
public:
    /// Makes a loop by the policy of this thread: one that no thread of the policy runs.
    /// @throws What event_loop_policy::new_event_loop() throws.
    runner();

    runner(const runner&) = delete;
    runner& operator=(const runner&) = delete;

    /// As close(); exceptions are dropped.
    ~runner();

    /// The loop.
    /// @throws system_error with `error::loop_closed` after close().
    event_loop& get_loop();

    /// Calls a function on the loop and runs the loop until it is out of work.
    ///
    /// What the function started is its work. A task that is to end earlier calls
    /// `event_loop::request_stop()`; tasks of loops::spawn() that are left are then cancelled, and
    /// waited for, however many of them throw. That a detached one ended with `operation_aborted`
    /// is what was asked of it, and no error.
    ///
    /// @return What the function returned.
    /// @throws What the function, or another handler, threw, the first where there are several, once
    /// all tasks have ended; system_error with `error::already_running` inside of a running loop,
    /// which is unharmed, or with `operation_aborted` where the loop was stopped before the
    /// function's turn came, which then never comes.
    template <class Function, class R = std::invoke_result_t<Function&>>
    R run(Function function);

#if defined(LOOPS_HAS_COROUTINES)
    /// Runs the loop until a coroutine has ended; cancels other spawned tasks, and waits for them,
    /// as above.
    ///
    /// @return What the coroutine returned.
    /// @throws What the coroutine threw; otherwise as above.
    template <class T, class Executor>
    T run(asio::awaitable<T, Executor> task);
#endif

    /// Cancels the spawned tasks that are left, waits for them, and closes the loop. Twice is
    /// nothing.
    ///
    /// @throws What a handler threw meanwhile; the loop is closed then. system_error with
    /// `error::already_running` inside of the loop, which stays open.
    void close();

private:
    struct at_end;

    void check_outside() const;
    void run_dry();
    std::exception_ptr finish_tasks();
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
