// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_LOOP_WATCH_HPP
#define LOOPS_LOOP_WATCH_HPP

#include <loops/config.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

/// Why a loop does not answer.
enum class loop_blockage
{
    /// A handler computes.
    busy_handler,
    /// A handler sleeps in a system call: reads a file, waits for a mutex, runs another loop.
    blocking_call,
    /// The thread is ready, but gets no CPU: others have it.
    starved,
    /// The thread is ready, but the CPU quota of its control group is used up.
    throttled,
    /// No handler takes long, but so many were before it.
    flooded_queue,
    /// The loop has work, and no thread is inside of a run of it.
    not_run,
};

/// Its name in reports: `busy_handler`.
LOOPS_DECL std::string_view to_string(loop_blockage cause) noexcept;

/// What is known of a loop that does not answer.
struct LOOPS_DECL loop_report
{
    /// A thread that is inside of a run of the loop.
    struct thread
    {
        /// The system's number of it.
        pid_type id = 0;
        /// The system's name of it.
        std::string name;
        /// What holds this one up.
        loop_blockage cause = loop_blockage::busy_handler;
        /// The system call that it sleeps in; empty where it does not sleep.
        std::string system_call;
        /// Of the time for which it was looked at, 0 to 1: what it spent on a CPU.
        double on_cpu = 0;
        /// The same: what it waited for a CPU, as far as the kernel tells.
        double waiting = 0;
        /// Its stack, the innermost frame first: `function (library.so+0x1234)`.
        std::vector<std::string> stack;
        /// Why there is no stack; empty where there is one, or none was wanted.
        std::string no_stack;
    };

    /// The loop as messages name it: `loop 'pool-1'`.
    std::string loop;
    /// What holds up most of its threads.
    loop_blockage cause = loop_blockage::not_run;
    /// How long it has not answered; of a loop that has recovered, until its answer.
    std::chrono::nanoseconds blocked_for{};
    /// The operations and handlers that the loop has yet to do, as Asio counts work.
    std::int64_t work = 0;
    /// Its threads; none where nobody runs it.
    std::vector<thread> threads;

    /// A line that says all but the stacks, and a line for each frame of these.
    std::string text() const;
};

/// How loops are watched.
struct loop_watch_options
{
    /// How long a loop may take to answer.
    std::chrono::nanoseconds threshold = std::chrono::milliseconds(250);

    /// How often it is asked, and then looked at; at least a millisecond. Zero: a quarter of the
    /// threshold.
    std::chrono::nanoseconds interval{};

    /// Called when a loop has not answered for the threshold, and again, while that lasts, at two,
    /// four, eight times that, and so on. Empty: the report's text goes to the log hook.
    ///
    /// It is called on the watching thread, which all watches of the process share, with no lock of
    /// Loops held. It must not throw, nor destroy what it belongs to; it may do anything else, end the
    /// watch or close the policy, too.
    std::function<void(const loop_report&)> on_blocked;

    /// Called when a loop that was reported has answered, with its last report. Empty: a line goes to
    /// the log hook. As for the rest as on_blocked.
    std::function<void(const loop_report&)> on_recovered;

    /// Whether the stacks of the loop's threads are taken.
    ///
    /// The thread is sent a signal for that, once a report. System calls go on by themselves after
    /// it, except those that the kernel never restarts, which end early with `EINTR` as they do after
    /// any signal: `nanosleep`, `poll`, `epoll_wait`, ... (signal(7) lists them). Turn it off where
    /// handlers use such calls and cannot bear that.
    bool stacks = true;

    /// The signal for that. Zero: a real-time signal which has no handler, the highest first. It has a
    /// handler of Loops while some watch wants stacks, and is as before after that. Only one is used in
    /// the process at a time.
    int stack_signal = 0;
};

/// Watches one loop, whoever made it and runs it. Policies watch theirs by themselves: see
/// event_loop_policy::watch_loops().
///
/// From time to time the loop is sent a handler that does nothing, and is not work: run functions
/// return for want of work as if it were not there, and those of Loops do not count it. What
/// io_context's own functions return counts it; so `io_context::run_one()`, called as such, may have
/// run nothing but that.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: unsafe.
class LOOPS_DECL loop_watch
{
public:
    /// Begins to watch. The first watch of the process starts a thread, which ends with the last one.
    ///
    /// @throws system_error with `error::loop_closed` for a closed loop; with `invalid_argument` for a
    /// threshold or interval of less than a millisecond, or a signal that is none; with
    /// `device_or_resource_busy` for a given signal that has a handler already, or where stacks
    /// are taken by another one; with `operation_not_supported` for a loop whose concurrency hint
    /// forbids other threads to post to it; or where the thread cannot be started.
    explicit loop_watch(asio::io_context& loop, loop_watch_options options = {});

    loop_watch(const loop_watch&) = delete;
    loop_watch& operator=(const loop_watch&) = delete;

    /// Ends the watch. A function that is being called on the watching thread has returned by then,
    /// unless it is what ends the watch.
    ~loop_watch();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
