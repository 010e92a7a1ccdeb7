// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_SPINNER_HPP
#define LOOPS_SRC_DETAIL_SPINNER_HPP

#include "detail/loop_record.hpp"
#include "detail/thread_state.hpp"
#include "platform/thread_activity.hpp"

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// How long a run that is to spin goes on polling a loop that has nothing to do.
class spinner
{
public:
    spinner(loop_record& record, run_frame* frame, std::chrono::nanoseconds time) noexcept
        : record_(record), frame_(frame), time_(time)
    {}

    bool is_on() const noexcept { return time_ > std::chrono::nanoseconds(0); }

    // Whether to wait for a handler now, and not to poll for one.
    bool is_over() const noexcept { return over_; }

    void ran_handler() noexcept
    {
        end_.reset();
        used_.reset();
        over_ = false;
    }

    // Looks at no clock before a poll was in vain: what is busy pays for none. Gives way, since what it
    // polls for may wait for this very CPU.
    void polled_in_vain() noexcept
    {
        const auto now = std::chrono::steady_clock::now();
        if (!end_)
            end_ = now + time_;
        over_ = now >= *end_;
        count();
        if (!over_)
            std::this_thread::yield();
    }

private:
    // At each poll, since the one that finds handlers returns when these have run.
    void count() noexcept
    {
        if (frame_ == nullptr || !record_.usage.counts())
            return used_.reset();
        const auto used = platform::cpu_time_of_this_thread();
        if (used_)
            frame_->spun.store(frame_->spun.load(std::memory_order_relaxed) + (used - *used_));
        used_ = used;
    }

    loop_record& record_;
    run_frame* const frame_;
    const std::chrono::nanoseconds time_;
    std::optional<std::chrono::steady_clock::time_point> end_; // of the time, once that has begun
    std::optional<std::chrono::nanoseconds> used_; // of its CPU by the thread, at the last poll
    bool over_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
