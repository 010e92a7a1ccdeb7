// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "process/ending.hpp"

#include <loops/child_watcher.hpp>

#include "platform/linux/child.hpp"
#include "platform/linux/pidfd.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/system_executor.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

bool is_valid(const stop_ladder& ladder) noexcept
{
    return !ladder.empty() && std::all_of(ladder.begin(), ladder.end(), [](const stop_rung& each) {
        return each.signal > 0 && each.patience >= std::chrono::nanoseconds(0);
    });
}

void stoppable_process::signal(int number) const noexcept
{
    error_code ignored; // it has ended
    const platform::child_id child{it.id(), it.native_handle()};
    if (leads_group)
        platform::send_signal_to_group(child, number, ignored);
    else
        platform::send_signal(child, number, ignored);
}

bool lead_group(command& what)
{
    if (!what.new_session && !what.process_group)
        what.process_group = 0;
    return what.new_session || what.process_group == 0;
}

void kill_and_reap(
    const stoppable_process& process, const std::shared_ptr<child_watcher>& watcher) noexcept
{
    process.signal(SIGKILL);
    try
    {
        if (watcher->is_active())
            return watcher->async_wait(
                process.it.id(), asio::bind_executor(asio::system_executor(),
                                     [watcher](const error_code&, const child_exit&) {}));
    }
    catch (...) // it is waited for below: it is as good as dead
    {}
    platform::wait_for({process.it.id(), process.it.native_handle()});
}

asio::any_completion_executor tracked(const asio::any_completion_executor& executor)
{
    if (!executor)
        return nullptr;
    return asio::prefer(executor, asio::execution::outstanding_work.tracked);
}

} // namespace detail

stop_ladder default_stop_ladder()
{
    return {{SIGTERM, std::chrono::seconds(5)}, {SIGKILL, {}}};
}

} // namespace LOOPS_ABI
} // namespace loops
