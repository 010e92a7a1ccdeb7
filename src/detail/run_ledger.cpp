// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/run_ledger.hpp"

#include "detail/thread_state.hpp"

#include <algorithm>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

void run_ledger::sums::add(const run& it, const platform::thread_usage& now) noexcept
{
    cpu += now.cpu - it.usage_before.cpu;
    wake_ups += now.sleeps - it.usage_before.sleeps;
    handlers += it.frame->handlers.load(std::memory_order_relaxed) - it.handlers_before;
}

std::optional<platform::thread_usage> run_ledger::run::usage() const
{
    const auto spun = frame->spun.load();
    auto used = platform::usage_of(thread);
    if (used)
        used->cpu -= spun;
    return used;
}

platform::thread_usage run_ledger::run::usage_here() const noexcept
{
    auto used = platform::usage_of_this_thread();
    used.cpu -= frame->spun.load();
    return used;
}

void run_ledger::begin(run_frame& frame)
{
    runs_.push_back({&frame, thread_state::of_this_thread().number()});
    if (!counts())
        return;
    runs_.back().counted = true;
    runs_.back().usage_before = runs_.back().usage_here();
}

void run_ledger::end(const run_frame& frame) noexcept
{
    const auto found = std::find_if(
        runs_.begin(), runs_.end(), [&](const auto& each) { return each.frame == &frame; });
    if (found == runs_.end())
        return;
    if (found->counted)
        ended_.add(*found, found->usage_here());
    runs_.erase(found);
}

bool run_ledger::has_callers() const noexcept
{
    return std::any_of(
        runs_.begin(), runs_.end(), [](const run& each) { return !each.frame->of_policy; });
}

std::vector<pid_type> run_ledger::threads() const
{
    std::vector<pid_type> all;
    all.reserve(runs_.size());
    for (const run& each : runs_)
        all.push_back(each.thread);
    return all;
}

bool run_ledger::count(bool on)
{
    if (counts() == on)
        return false;
    const auto now = clock::now();
    for (run& each : runs_)
    {
        const auto used = each.usage();
        if (!on && each.counted && used)
            ended_.add(each, *used);
        each.counted = on && used;
        if (!each.counted)
            continue;
        each.usage_before = *used;
        each.handlers_before = each.frame->handlers.load(std::memory_order_relaxed);
    }
    if (on)
        highest_lag_ = lag_ = std::chrono::nanoseconds(0);
    else
        elapsed_ += now - counts_since_;
    counts_since_ = now;
    counts_ = on;
    return true;
}

void run_ledger::read(loop_stats& into) const
{
    sums all = ended_;
    for (const run& each : runs_)
    {
        if (!each.counted)
            continue;
        if (const auto used = each.usage())
            all.add(each, *used);
    }
    into.collecting = counts();
    into.elapsed = elapsed_;
    if (into.collecting)
        into.elapsed += clock::now() - counts_since_;
    into.cpu = all.cpu;
    into.wake_ups = all.wake_ups;
    into.handlers = all.handlers;
    into.lag = lag_;
    into.highest_lag = highest_lag_;
    into.threads = static_cast<std::int64_t>(runs_.size());
}

void run_ledger::note_lag(std::chrono::nanoseconds lag) noexcept
{
    lag_.store(lag, std::memory_order_relaxed);
    auto highest = highest_lag_.load(std::memory_order_relaxed);
    while (highest < lag && !highest_lag_.compare_exchange_weak(highest, lag))
    {}
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
