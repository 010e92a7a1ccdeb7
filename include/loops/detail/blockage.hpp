// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_BLOCKAGE_HPP
#define LOOPS_DETAIL_BLOCKAGE_HPP

#include <loops/loop_watch.hpp>

#include <chrono>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What a thread that runs a loop which does not answer did between two looks.
struct thread_facts
{
    double on_cpu = 0;      // of the time between
    double waiting = 0;     // the same, as far as the kernel tells
    bool runnable = false;  // at the second look
    bool slept = false;     // gave its CPU up by itself
    bool throttled = false; // threads of the process were, by their CPU quota
    bool went_on = false;   // the loop began other handlers
};

LOOPS_DECL loop_blockage cause_of(const thread_facts& thread) noexcept;

// The cause of a loop whose threads are held up by these: that of most, of several the one that comes
// first in the enumeration; not_run where there are none.
LOOPS_DECL loop_blockage cause_of(const std::vector<loop_blockage>& threads) noexcept;

// When a loop is asked, looked at and reported. Knows no clock and no loop.
class LOOPS_DECL blocked_loop_fsm
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    enum class action
    {
        wait,
        ask,     // send a probe
        look,    // at the loop's threads, to have something to compare with
        report,  // and look, for the next report
        recover, // say that it has answered, and send the next probe
    };

    explicit blocked_loop_fsm(std::chrono::nanoseconds threshold) noexcept : threshold_(threshold)
    {}

    // What to do now. `can_answer` is false for a loop that nobody expects an answer of: one that has
    // no work and no thread, or is stopped or parked.
    action next(time_point now, bool is_out, bool can_answer) noexcept;

    // For how long it has not answered.
    std::chrono::nanoseconds blocked_for(time_point now) const noexcept { return now - since_; }

private:
    void begin(time_point now) noexcept;

    const std::chrono::nanoseconds threshold_;
    time_point since_;
    std::chrono::nanoseconds due_{0};
    bool looked_ = false;
    bool reported_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
