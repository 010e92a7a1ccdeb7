// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What a policy has done for all of its loops: to be watched, and counted.

#include <loops/policy.hpp>

#include "detail/loop_record.hpp"
#include "detail/loop_watcher.hpp"
#include "detail/policy_core.hpp"
#include "detail/run_scope.hpp"

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

void policy_core::replace(std::shared_ptr<watch>& which, std::shared_ptr<watch> with)
{
    {
        const std::lock_guard lock(mutex);
        which.swap(with);
    }
    end_watch(std::move(with));
}

void policy_core::watch_loops(std::optional<loop_watch_options> options)
{
    replace(watch_, options ? begin_watch({{}, this}, std::move(options)) : nullptr);
}

void policy_core::collect_stats(bool on)
{
    replace(lag_watch_, on ? begin_watch({{}, this}, std::nullopt) : nullptr);
    for (const auto& each : known_loops())
    {
        if (each->policy_core() == number)
            count_runs(each, on);
    }
}

void policy_core::end_watches() noexcept
{
    replace(watch_, nullptr);
    replace(lag_watch_, nullptr);
}

void policy_core::add_loop(const std::shared_ptr<loop_record>& loop)
{
    std::shared_ptr<watch> watched;
    std::shared_ptr<watch> asked;
    {
        const std::lock_guard lock(mutex);
        watched = watch_;
        asked = lag_watch_;
    }
    // A forked child has the watches of its parent to begin anew; at its first loop will do.
    if (watched && watched->is_inherited())
        watch_loops(watched->options());
    if (asked && asked->is_inherited())
        collect_stats(true);
    else if (asked)
        count_runs(loop, true);
}

} // namespace detail

void event_loop_policy::watch_loops(loop_watch_options options)
{
    check_open("watching the loops");
    core_->watch_loops(std::move(options));
}

void event_loop_policy::unwatch_loops()
{
    core_->watch_loops(std::nullopt);
}

void event_loop_policy::collect_stats(bool on)
{
    check_open("counting for the loops");
    core_->collect_stats(on);
}

} // namespace LOOPS_ABI
} // namespace loops
