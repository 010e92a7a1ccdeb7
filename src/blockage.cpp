// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/detail/blockage.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// A thread that is always ready and has less than this is starved, whatever it would do with more. What
// computes beside others on a busy machine has more.
constexpr double a_little = 0.1;

} // namespace

loop_blockage cause_of(const thread_facts& thread) noexcept
{
    const double asleep = 1 - thread.on_cpu - thread.waiting;
    // The kernel counts a time of waiting when it ends. Ready now and never asleep, it waits still.
    const bool always_ready = thread.runnable && !thread.slept;
    const bool wants_cpu = always_ready || thread.waiting > std::max(thread.on_cpu, asleep);
    if (wants_cpu && thread.throttled && thread.on_cpu < 0.5)
        return loop_blockage::throttled;
    if (wants_cpu && thread.on_cpu < a_little)
        return loop_blockage::starved;
    if (thread.went_on)
        return loop_blockage::flooded_queue;
    if (wants_cpu || thread.on_cpu > asleep)
        return loop_blockage::busy_handler;
    return loop_blockage::blocking_call;
}

loop_blockage cause_of(const std::vector<loop_blockage>& threads) noexcept
{
    std::array<std::size_t, static_cast<std::size_t>(loop_blockage::not_run) + 1> counts{};
    counts.back() = threads.empty() ? 1 : 0;
    for (const loop_blockage each : threads)
        ++counts[static_cast<std::size_t>(each)];
    return static_cast<loop_blockage>(
        std::max_element(counts.begin(), counts.end()) - counts.begin());
}

blocked_loop_fsm::action blocked_loop_fsm::next(
    time_point now, bool is_out, bool can_answer) noexcept
{
    if (!is_out)
    {
        const bool recovered = reported_;
        begin(now);
        return recovered ? action::recover : action::ask;
    }
    if (!can_answer)
    {
        begin(now);
        return action::wait;
    }
    // One look that comes late, as after a stop of the whole process, is no reason for a report.
    if (!looked_)
    {
        looked_ = true;
        return action::look;
    }
    if (blocked_for(now) < due_)
        return action::wait;
    while (due_ <= blocked_for(now))
        due_ *= 2;
    reported_ = true;
    return action::report;
}

void blocked_loop_fsm::begin(time_point now) noexcept
{
    since_ = now;
    due_ = threshold_;
    looked_ = reported_ = false;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
