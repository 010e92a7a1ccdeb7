// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_EVENT_LOOP_HPP
#define LOOPS_EVENT_LOOP_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/loop_clock.hpp>

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
using steady_time = loop_clock::time_point;

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
    return loop_clock::now() + left;
}

// Which are loop_clock's.
template <class Duration>
steady_time to_steady(const std::chrono::time_point<std::chrono::steady_clock, Duration>& time)
{
    return std::chrono::ceil<steady_time::duration>(time);
}

template <class Rep, class Period>
steady_time after(const std::chrono::duration<Rep, Period>& time)
{
    return loop_clock::now() + std::chrono::ceil<steady_time::duration>(time);
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
    /// Either leaves the loop stopped, as in Asio: until `restart()`, this and its siblings return 0
    /// at once. run_forever() and run_until_complete() restart a loop that ran out of work by
    /// themselves.
    ///
    /// @return The number of handlers that ran, those that threw included.
    /// @throws system_error with `error::loop_closed`, or with `error::already_running` where the
    /// calling thread is inside of this very loop, or where the loop was made for one thread and
    /// another one runs it. A different loop nests. Otherwise whatever a handler throws, unless an
    /// exception handler is set.
    count_type run() { return detail::run_all(*this); }

    /// Runs handlers for a duration at the most: ends then, for want of work, or stopped.
    ///
    /// @return The number of handlers that ran; 0 where none came in time.
    /// @throws As run().
    template <class Rep, class Period>
    count_type run_for(const std::chrono::duration<Rep, Period>& time)
    {
        return detail::run_all_until(*this, detail::after(time));
    }

    /// Runs handlers until a time at the latest: ends then, for want of work, or stopped. The time
    /// is read against its clock once.
    ///
    /// @return The number of handlers that ran; 0 where none came in time.
    /// @throws As run().
    template <class Clock, class Duration>
    count_type run_until(const std::chrono::time_point<Clock, Duration>& time)
    {
        return detail::run_all_until(*this, detail::to_steady(time));
    }

    /// Runs one handler, waiting for it if need be.
    ///
    /// @return 1; 0 where the loop is out of work or stopped.
    /// @throws As run().
    count_type run_one() { return detail::run_one(*this); }

    /// Runs one handler, waiting for it for a duration at the most.
    ///
    /// @return 1; 0 where none came in time, or the loop is out of work or stopped.
    /// @throws As run().
    template <class Rep, class Period>
    count_type run_one_for(const std::chrono::duration<Rep, Period>& time)
    {
        return detail::run_one_until(*this, detail::after(time));
    }

    /// Runs one handler, waiting for it until a time at the latest. The time is read against its
    /// clock once.
    ///
    /// @return 1; 0 where none came in time, or the loop is out of work or stopped.
    /// @throws As run().
    template <class Clock, class Duration>
    count_type run_one_until(const std::chrono::time_point<Clock, Duration>& time)
    {
        return detail::run_one_until(*this, detail::to_steady(time));
    }

    /// Runs the handlers that are ready, without waiting.
    ///
    /// @return The number of handlers that ran. A loop that has no work left, not even some to wait
    /// for, is stopped then, as by run().
    /// @throws As run().
    count_type poll() { return detail::poll_all(*this); }

    /// Runs one handler that is ready, if there is one.
    ///
    /// @return 1; 0 where none is ready. A loop that has no work left is stopped then.
    /// @throws As run().
    count_type poll_one() { return detail::poll_one(*this); }

    /// Runs handlers until request_stop() or stop(); want of work does not end it.
    ///
    /// A loop that an earlier run left stopped for want of work is restarted; one that stop() has
    /// stopped is not, and the call returns at once. So it does where a plain `io_context::run()`,
    /// which Loops does not see, ran out of work: call `restart()` there.
    ///
    /// A request_stop() that came before lets what was queued at entry run once, and returns.
    ///
    /// @throws As run().
    void run_forever();

#if defined(LOOPS_HAS_COROUTINES)
    /// Runs the loop until a coroutine has ended. Defined in `loops/run.hpp`.
    ///
    /// The loop is restarted as by run_forever(), and does not end for want of work. Where the loop
    /// has a thread of its policy's (see threaded_policy), that goes on to run it, and the call
    /// waits.
    ///
    /// @return What the coroutine returned.
    /// @throws What the coroutine threw. system_error with `operation_aborted` when the loop was
    /// stopped before the coroutine had ended, which is then cancelled when the loop runs next;
    /// with `error::already_running` inside of one of the loop's own handlers; with
    /// `error::no_running_event_loop` where the loop has a thread that a stopped or closed policy
    /// has ended. After the last two the coroutine was not started. Otherwise as run().
    template <class T, class Executor>
    T run_until_complete(asio::awaitable<T, Executor> task);
#endif

    /// Stops the loop, as `io_context::stop()`: the runs under way end as soon as their present
    /// handlers have returned, and later ones return at once, until `restart()`.
    ///
    /// `io_context::stop()` through a reference to the base does the same, but for one thing: of a
    /// loop that has run out of work, and so is stopped already, it leaves no trace, and
    /// run_forever() restarts that.
    ///
    /// @par Thread safety
    /// Safe.
    void stop();

    /// Ends the runs of this loop that go through Loops, once what is queued now has run.
    ///
    /// Where the loop is not running the request waits for the next run_forever(). It does not
    /// stick: the loop can be run again without `restart()`. stop() keeps its own meaning.
    ///
    /// Where threads of its policy run the loop, these end with their runs, and nobody runs the loop
    /// any more until the policy was stopped and started again. To end the runs of a policy, call
    /// event_loop_policy::stop().
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
    /// reported through the log hook. Off at first.
    ///
    /// It takes effect at once, also in a run that is under way, which then counts the handlers
    /// that it returns from there on; of several threads that run the loop, one that is busy with a
    /// handler meanwhile may take part from its next run on only.
    ///
    /// Costs clock reads around each handler, and a look at the queue every millisecond while
    /// there is nothing to do. So a handler that the loop had to wait for is measured to the
    /// millisecond, and never found longer than it was.
    ///
    /// @par Thread safety
    /// Safe.
    void set_debug(bool on) noexcept;
    /// Whether debug mode is on.
    bool get_debug() const noexcept;

    /// From which time on a handler counts as slow; 100 ms at first, as in asyncio.
    void set_slow_callback_duration(std::chrono::nanoseconds time) noexcept;
    /// What set_slow_callback_duration() has set.
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
/// Once the thread has its loop: constant; no lock, no allocation, no scan of loops. Outside of a run, a
/// policy whose event_loop_policy::current_is_thread_bound() is false is asked each time.
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
/// @throws system_error with `error::loop_closed` for a closed loop; with `error::policy_closed`; with
/// `operation_not_supported` where the policy has a loop of its own here; with `error::already_running` where
/// threads of a shared_policy run its loop; with `error::no_current_event_loop` where a keyed_policy has no key.
LOOPS_DECL void set_event_loop(asio::io_context& loop);

/// Empties the slot of the calling context of use; none is made on demand there any more.
///
/// @throws system_error with `error::policy_closed`, with `operation_not_supported` where the
/// policy has a loop of its own here, or with `error::already_running` where the slot's loop is
/// one that the policy runs.
///
/// @par Thread safety
/// Safe; a slot of one thread is that thread's to set.
LOOPS_DECL void set_event_loop(std::nullptr_t);

/// Makes a loop by the policy of this thread; nothing becomes current. The caller owns it.
///
/// @return Never null.
/// @throws system_error with `error::policy_closed`, with `invalid_argument` where the policy's
/// loop factory gave none, or when the system gives no descriptors or no thread; otherwise what
/// the factory throws.
///
/// @par Thread safety
/// Safe.
LOOPS_DECL std::unique_ptr<event_loop> new_event_loop();

/// Tells every loop that Loops knows that the process forks, as `execution_context::notify_fork`
/// does for one. No other thread may be in a run meanwhile: see parking.
///
/// After `fork_child` the loops can be run again, but none is current.
///
/// @throws system_error when the system does not give a loop, in the child, the descriptors that
/// it needs anew; loops that come later in the order of their making were not told then.
///
/// @par Thread safety
/// Unsafe: no other thread may run, make or destroy a loop meanwhile.
LOOPS_DECL void notify_fork(asio::execution_context::fork_event event);

} // namespace LOOPS_ABI
} // namespace loops

#endif
