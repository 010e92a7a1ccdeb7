// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PROCESS_ENDING_HPP
#define LOOPS_SRC_PROCESS_ENDING_HPP

#include <loops/config.hpp>
#include <loops/process/command.hpp>
#include <loops/process/start.hpp>
#include <loops/process/stop_ladder.hpp>

#include <boost/asio/any_completion_executor.hpp>

#include <memory>

namespace loops {
inline namespace LOOPS_ABI {

class child_watcher;

namespace detail {

// What ends the programs that are run here, and what they need for that.

bool is_valid(const stop_ladder& ladder) noexcept;

// A process that was started, and whether it leads a group that is to be ended with it.
struct stoppable_process
{
    started_process it;
    bool leads_group = false;

    // To all of the group, if it leads one; to nobody where it has ended.
    void signal(int number) const noexcept;
};

// Has a command lead a group, unless it says what group or session it wants. Whether it leads one.
bool lead_group(command& what);

// Ends what nobody waits for any more, at once; it is reaped by threads of the library.
void kill_and_reap(
    const stoppable_process& process, const std::shared_ptr<child_watcher>& watcher) noexcept;

// An executor that waits for what is to complete on it: empty for an empty one.
asio::any_completion_executor tracked(const asio::any_completion_executor& executor);

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
