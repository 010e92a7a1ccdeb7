// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_BOUND_FSM_HPP
#define LOOPS_DETAIL_BOUND_FSM_HPP

#include <loops/config.hpp>

#include <cstddef>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// When tasks start under a bound. Counts only: whoever asks it keeps the tasks, in order.
class bound_fsm
{
public:
    enum class answer
    {
        start,  // now
        wait,   // behind all others
        refuse, // there is no place, not even to wait
    };

    bound_fsm(std::size_t most_running, std::size_t most_waiting) noexcept
        : most_running_(most_running), most_waiting_(most_waiting)
    {}

    // What a task that comes now is to do. It may have to wait for nothing but for those before it,
    // which somebody is just starting: that counts as a start.
    answer ask(bool may_wait) const noexcept
    {
        const std::size_t before = running_ + waiting_;
        if (before < most_running_)
            return waiting_ == 0 && !starting_ ? answer::start : answer::wait;
        return may_wait && before - most_running_ < most_waiting_ ? answer::wait : answer::refuse;
    }

    // The same, and the task is counted.
    answer arrive(bool may_wait) noexcept
    {
        const answer now = ask(may_wait);
        running_ += now == answer::start ? 1 : 0;
        waiting_ += now == answer::wait ? 1 : 0;
        return now;
    }

    // A waiting task went away.
    void withdraw() noexcept { --waiting_; }

    // A running task has ended. Somebody is to start others.
    void end() noexcept { --running_; }

    // Whether the caller is the one who starts tasks: then next() is to be called until it is false.
    bool begin_starting() noexcept
    {
        const bool free = !starting_;
        starting_ = true;
        return free;
    }

    // Whether the oldest waiting task is to start now; it counts as running then.
    bool next() noexcept
    {
        starting_ = waiting_ > 0 && running_ < most_running_;
        running_ += starting_ ? 1 : 0;
        waiting_ -= starting_ ? 1 : 0;
        return starting_;
    }

    // Who was starting tasks is not there any more.
    void forget_starter() noexcept { starting_ = false; }

    std::size_t running() const noexcept { return running_; }
    std::size_t waiting() const noexcept { return waiting_; }

private:
    const std::size_t most_running_;
    const std::size_t most_waiting_;
    std::size_t running_ = 0;
    std::size_t waiting_ = 0;
    bool starting_ = false; // by one at a time, so that tasks start in order
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
