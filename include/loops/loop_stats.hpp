// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_LOOP_STATS_HPP
#define LOOPS_LOOP_STATS_HPP

#include <loops/config.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>

namespace loops {
inline namespace LOOPS_ABI {

/// What a loop does, and has done since its counters were turned on.
struct LOOPS_DECL loop_stats
{
    /// Whether the counters are on. They stand still while not.
    bool collecting = false;

    /// For how long they were on.
    std::chrono::nanoseconds elapsed{};
    /// What threads have used of CPUs inside of runs of the loop that went through Loops, but for what
    /// pool_options::spin has them poll in vain. More than elapsed where several threads run it.
    std::chrono::nanoseconds cpu{};
    /// How often such a thread has gone to sleep, for want of handlers or in one of them, and so has been
    /// woken.
    std::uint64_t wake_ups = 0;
    /// The handlers that such runs have executed.
    std::uint64_t handlers = 0;

    /// How long the loop took to answer when it was last asked: ten times a second, or as a watch asks; see
    /// loop_watch.
    std::chrono::nanoseconds lag{};
    /// The longest time that an answer has taken since the counters were turned on.
    std::chrono::nanoseconds highest_lag{};

    /// Of the present moment, whether or not counters are on, as what follows: the weights of the leases.
    std::int64_t leases = 0;
    /// The spawned tasks that have not ended.
    std::int64_t tasks = 0;
    /// The waits for children that this loop watches for.
    std::int64_t waits = 0;
    /// The threads inside of runs through Loops.
    std::int64_t threads = 0;

    /// The part of the time that the loop's thread was on a CPU, and not to spin: 0 for an idle loop, 1
    /// for one that has no time to spare; with several threads up to their number.
    double busy() const noexcept;

    /// What was counted between two looks: the counters' differences, and of all else the later value.
    loop_stats since(const loop_stats& earlier) const noexcept;
};

/// Reads a loop's counters, from any thread. It reads the clocks of the loop's threads, and files of
/// the kernel's, which takes some ten microseconds a thread.
///
/// @throws system_error with `error::loop_closed`.
LOOPS_DECL loop_stats stats_of(asio::io_context& loop);

/// Turns a loop's counters on or off; off at first. What they have counted stays.
///
/// While off they cost nothing. On, a run through Loops executes handlers one at a time, and reads
/// the thread's clock when it begins and ends; `bench/counters.cpp` measures it. Runs that are under
/// way go over to that when they have executed what is queued.
///
/// @throws system_error with `error::loop_closed`; or where the thread that asks the loop for its lag
/// cannot be started.
///
/// @par Thread safety
/// Safe.
LOOPS_DECL void collect_stats(asio::io_context& loop, bool on = true);

} // namespace LOOPS_ABI
} // namespace loops

#endif
