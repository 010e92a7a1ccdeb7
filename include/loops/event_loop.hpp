// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_EVENT_LOOP_HPP
#define LOOPS_EVENT_LOOP_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {

class loop_access;
using steady_time = std::chrono::steady_clock::time_point;

// When a run ends, beside for want of work: at once, at a time, or never.
LOOPS_DECL std::size_t run_all(asio::io_context& loop);
LOOPS_DECL std::size_t run_all_until(asio::io_context& loop, steady_time deadline);
LOOPS_DECL std::size_t run_one(asio::io_context& loop);
LOOPS_DECL std::size_t run_one_until(asio::io_context& loop, steady_time deadline);
LOOPS_DECL std::size_t poll_all(asio::io_context& loop);
LOOPS_DECL std::size_t poll_one(asio::io_context& loop);

template <class Clock, class Duration>
steady_time to_steady(const std::chrono::time_point<Clock, Duration>& time)
{
    const auto left = std::chrono::ceil<steady_time::duration>(time - Clock::now());
    return std::chrono::steady_clock::now() + left;
}

template <class Rep, class Period>
steady_time after(const std::chrono::duration<Rep, Period>& time)
{
    return std::chrono::steady_clock::now() + std::chrono::ceil<steady_time::duration>(time);
}

} // namespace detail

/// A loop that Loops made: an `io_context` with a name, a running and a closed state.
///
/// Everything that takes an `io_context&` takes it. Its run functions shadow those of the base, so
/// that a run through them is recorded: `get_event_loop()` gives this loop inside of its handlers,
/// and `is_running()` is true. A run through a reference to the base is seen by
/// `get_running_loop()` only.
///
/// @par Thread safety
/// As `io_context`: distinct threads may run it and post to it, unless it was made with a
/// concurrency hint of 1, when a second thread that runs it is refused with
/// `error::already_running`. `close()` and destruction need that nobody runs it; a loop that its
/// policy runs stops and joins its own thread first.
class LOOPS_DECL event_loop : public asio::io_context
{
public:
    /// Receives an exception that left a handler of the loop.
    using exception_handler = std::function<void(std::exception_ptr)>;

    /// Makes a loop.
    ///
    /// @param name For messages and debuggers; empty: "loop-" and a number.
    /// @throws system_error when the system gives no descriptors.
    explicit event_loop(std::string name = {});

    /// Makes a loop with a concurrency hint, as `io_context`'s; 1 means that one thread runs it.
    explicit event_loop(int concurrency_hint, std::string name = {});

    event_loop(const event_loop&) = delete;
    event_loop& operator=(const event_loop&) = delete;

    /// Closes the loop, as close() does.
    ///
    /// @pre No handler of this loop is executing on the calling thread.
    virtual ~event_loop();

    /// The name that the loop was made with.
    const std::string& name() const noexcept;

    /// Runs handlers on the calling thread until there is no work left or the loop is stopped.
    ///
    /// @return The number of handlers that ran.
    /// @throws system_error with `error::loop_closed`, or with `error::already_running` where the
    /// calling thread is inside of this very loop. A different loop nests. Otherwise whatever a
    /// handler throws, unless an exception handler is set.
    count_type run() { return detail::run_all(*this); }

    /// Runs handlers for a duration at the most.
    template <class Rep, class Period>
    count_type run_for(const std::chrono::duration<Rep, Period>& time)
    {
        return detail::run_all_until(*this, detail::after(time));
    }

    /// Runs handlers until a time at the latest. The time is read against its clock once.
    template <class Clock, class Duration>
    count_type run_until(const std::chrono::time_point<Clock, Duration>& time)
    {
        return detail::run_all_until(*this, detail::to_steady(time));
    }

    /// Runs one handler, waiting for it if need be.
    count_type run_one() { return detail::run_one(*this); }

    /// Runs one handler, waiting for it for a duration at the most.
    template <class Rep, class Period>
    count_type run_one_for(const std::chrono::duration<Rep, Period>& time)
    {
        return detail::run_one_until(*this, detail::after(time));
    }

    /// Runs one handler, waiting for it until a time at the latest.
    template <class Clock, class Duration>
    count_type run_one_until(const std::chrono::time_point<Clock, Duration>& time)
    {
        return detail::run_one_until(*this, detail::to_steady(time));
    }

    /// Runs the handlers that are ready, without waiting.
    count_type poll() { return detail::poll_all(*this); }

    /// Runs one handler that is ready, if there is one.
    count_type poll_one() { return detail::poll_one(*this); }

    /// Runs handlers until request_stop() or stop(); want of work does not end it.
    ///
    /// A request_stop() that came before lets what was queued at entry run once, and returns.
    ///
    /// @throws As run().
    void run_forever();

#if defined(LOOPS_HAS_COROUTINES)
    /// Runs the loop until a coroutine has ended; where a thread of its policy runs the loop, waits
    /// for that. Defined in `loops/run.hpp`.
    ///
    /// @return What the coroutine returned.
    /// @throws What the coroutine threw; system_error with `operation_aborted` when the loop was
    /// stopped before the coroutine had ended (which is then cancelled); otherwise as run().
    template <class T, class Executor>
    T run_until_complete(asio::awaitable<T, Executor> task);
#endif

    /// Ends the runs of this loop that go through Loops, once what is queued now has run.
    ///
    /// Where the loop is not running the request waits for the next run_forever(). It does not
    /// stick: the loop can be run again without `restart()`. `stop()` keeps its own meaning.
    ///
    /// @par Thread safety
    /// Safe.
    void request_stop();

    /// Closes the loop: handlers that wait are destroyed unrun, the services shut down.
    ///
    /// Twice is nothing. Every slot that names the loop becomes empty. Handlers that are posted
    /// later are destroyed with the loop. A loop that a thread of its policy runs is stopped, and
    /// the thread joined, first.
    ///
    /// @throws system_error with `error::already_running` where the loop is running.
    void close();

    /// The same, reporting by an error code.
    void close(error_code& ec);

    /// Whether a thread runs it through Loops.
    bool is_running() const;

    /// Whether it was closed.
    bool is_closed() const;

    /// Sets what receives exceptions that leave handlers; an empty one lets them leave `run`, as
    /// in Asio, which is the default. Set it while the loop is not running.
    void set_exception_handler(exception_handler handler);

    /// Debug mode: a handler that holds the loop up for longer than slow_callback_duration() is
    /// reported through the log hook. Costs clock reads around each handler. Off at first.
    void set_debug(bool on) noexcept;
    bool get_debug() const noexcept;

    /// From which time on a handler counts as slow; 100 ms at first, as in asyncio.
    void set_slow_callback_duration(std::chrono::nanoseconds time) noexcept;
    std::chrono::nanoseconds slow_callback_duration() const noexcept;

private:
    friend class detail::loop_access;

    void shut_down();

    struct impl;
    std::unique_ptr<impl> impl_;
};

/// Gives the loop of the calling context of use.
///
/// @return The loop that Loops runs on this thread, if any, whatever the policy says; else the
/// policy's current loop for this thread, which the policy may make now.
///
/// @throws system_error with `error::no_current_event_loop`, naming the thread and the policy;
/// with `error::policy_closed`; or whatever the policy's loop factory throws.
///
/// @par Complexity
/// Once the thread has its loop: constant; no lock, no allocation, no scan of loops.
LOOPS_DECL asio::io_context& get_event_loop();

/// The same, giving null and an error code where get_event_loop() throws.
LOOPS_DECL asio::io_context* try_get_event_loop(error_code& ec);

/// Gives the loop whose handlers the calling thread is executing.
///
/// Runs through Loops are recorded. A plain `io_context::run()` of a loop that Loops knows (that
/// was set as current, adopted, or made by a policy) is found by asking each such loop; where
/// plain runs nest, the thread's current loop wins.
///
/// @throws system_error with `error::no_running_event_loop`, naming the thread.
LOOPS_DECL asio::io_context& get_running_loop();

/// The same, giving null where there is none.
LOOPS_DECL asio::io_context* try_get_running_loop() noexcept;

/// Makes `loop` the current loop of the calling context of use, by the policy of this thread.
///
/// The loop is adopted: it may be any `io_context`, and stays its owner's. When it is destroyed,
/// every slot that named it becomes empty.
///
/// @throws system_error with `error::loop_closed` for a closed loop, or with
/// `operation_not_supported` where the policy has a loop of its own here.
LOOPS_DECL void set_event_loop(asio::io_context& loop);

/// Empties the slot of the calling context of use; none is made on demand there any more.
LOOPS_DECL void set_event_loop(std::nullptr_t);

/// Makes a loop by the policy of this thread; nothing becomes current. The caller owns it.
LOOPS_DECL std::unique_ptr<event_loop> new_event_loop();

/// Tells every loop that Loops knows that the process forks, as `execution_context::notify_fork`
/// does for one. No loop may be running meanwhile.
///
/// After `fork_child` the loops can be run again, but none is current.
LOOPS_DECL void notify_fork(asio::execution_context::fork_event event);

} // namespace LOOPS_ABI
} // namespace loops

#endif
