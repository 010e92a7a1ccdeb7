// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/loop_stats.hpp>

#include "detail/loop_record.hpp"
#include "detail/loop_watcher.hpp"
#include "detail/run_scope.hpp"
#include "detail/wait_service.hpp"

#include <algorithm>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

std::shared_ptr<detail::loop_record> open_record(asio::io_context& loop, const char* attempted)
{
    auto record = detail::record_of(loop);
    if (record->context() == nullptr)
        detail::throw_error(error::loop_closed, attempted + record->describe());
    return record;
}

} // namespace

double loop_stats::busy() const noexcept
{
    return elapsed > std::chrono::nanoseconds(0)
               ? static_cast<double>(cpu.count()) / static_cast<double>(elapsed.count())
               : 0;
}

loop_stats loop_stats::since(const loop_stats& earlier) const noexcept
{
    loop_stats between = *this;
    between.elapsed -= earlier.elapsed;
    // The clock of a thread that polls is read a moment after what it polled in vain.
    between.cpu = std::max(cpu - earlier.cpu, std::chrono::nanoseconds(0));
    between.wake_ups -= earlier.wake_ups;
    between.handlers -= earlier.handlers;
    return between;
}

loop_stats stats_of(asio::io_context& loop)
{
    const auto record = open_record(loop, "reading the counters of ");
    loop_stats stats = record->run_stats();
    stats.leases = record->leased.load(std::memory_order_relaxed);
    stats.tasks = record->tasks.load(std::memory_order_relaxed);
    stats.waits = static_cast<std::int64_t>(detail::wait_service::pending_on(loop));
    return stats;
}

void collect_stats(asio::io_context& loop, bool on)
{
    const auto record = open_record(loop, "counting for ");
    detail::ask_for_lag(record, on);
    detail::count_runs(record, on);
}

} // namespace LOOPS_ABI
} // namespace loops
