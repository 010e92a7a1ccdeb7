// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_RUN_LEDGER_HPP
#define LOOPS_SRC_DETAIL_RUN_LEDGER_HPP

#include <loops/loop_stats.hpp>

#include "platform/thread_activity.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

struct run_frame;

// Which runs of a loop are under way through Loops and, while that is asked for, what runs use. The
// mutex of the loop's record guards all members but counts() and note_lag().
class run_ledger
{
public:
    void begin(run_frame& frame);
    void end(const run_frame& frame) noexcept;

    // In a forked child: the runs were the parent's.
    void forget_runs() noexcept { runs_.clear(); }

    std::size_t size() const noexcept { return runs_.size(); }
    bool has_callers() const noexcept; // beside a policy's own threads
    std::vector<pid_type> threads() const;

    // Whether runs are to count their handlers.
    bool counts() const noexcept { return counts_.load(std::memory_order_relaxed); }
    // False: it was so already.
    bool count(bool on);
    void read(loop_stats& into) const;

    // The loop has answered.
    void note_lag(std::chrono::nanoseconds lag) noexcept;

private:
    using clock = std::chrono::steady_clock;

    struct run
    {
        run_frame* frame;
        pid_type thread;
        bool counted = false;
        // What its thread had used, and it had executed, when counting began.
        platform::thread_usage usage_before{};
        std::uint64_t handlers_before = 0;

        // What the thread has used, but for what it has polled in vain: that is read first, so as not to
        // be of a later moment.
        std::optional<platform::thread_usage> usage() const;
        platform::thread_usage usage_here() const noexcept;
    };

    struct sums
    {
        std::chrono::nanoseconds cpu{};
        std::uint64_t wake_ups = 0;
        std::uint64_t handlers = 0;

        void add(const run& it, const platform::thread_usage& now) noexcept;
    };

    std::vector<run> runs_;
    std::atomic<bool> counts_{false};
    clock::time_point counts_since_;
    std::chrono::nanoseconds elapsed_{}; // before that
    sums ended_;                         // of runs, or the parts of them, that are over
    std::atomic<std::chrono::nanoseconds> lag_{std::chrono::nanoseconds(0)};
    std::atomic<std::chrono::nanoseconds> highest_lag_{std::chrono::nanoseconds(0)};
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
