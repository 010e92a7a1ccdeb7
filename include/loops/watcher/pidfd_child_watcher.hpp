// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_WATCHER_PIDFD_CHILD_WATCHER_HPP
#define LOOPS_WATCHER_PIDFD_CHILD_WATCHER_HPP

#include <loops/child_watcher.hpp>
#include <loops/detail/registry_watcher.hpp>

namespace loops {
inline namespace LOOPS_ABI {

/// Watches children through pidfds: one descriptor a child, no thread, no signal, and a cost that
/// does not grow with the number of children alive. Needs Linux 5.4.
///
/// It needs no attachment. Several of them share the descriptors and what is reaped.
///
/// @par Descriptors
/// Each child that is waited for has one, whoever waits on whatever loop, and each loop that watches
/// children one for all of them, kept until the last watcher of the process is closed. For a child
/// for which the system has no more of them (`EMFILE`, `ENFILE`, `ENOMEM`, `ENOSPC`), its waits are
/// watched as threaded_child_watcher would, and where there can be no thread either, as
/// multi_loop_child_watcher would. They do not fail, and what has a descriptor keeps it.
///
/// @par Lost statuses
/// Where the kernel tells it (`PIDFD_GET_INFO` with `PIDFD_INFO_EXIT`, Linux 6.15), a wait completes
/// with the true status even when somebody else reaped the child, or SIGCHLD is ignored; without
/// what the child used. Else with `error::child_status_lost`.
///
/// @par Stop and continue
/// async_wait_state() completes with `operation_not_supported`: a pidfd does not tell.
///
/// @par Fork
/// As the base class has it. Closing or destroying the watcher or its loops in a forked child
/// changes nothing in the parent. A new watcher works there.
///
/// @par Thread safety
/// As the base class has it.
class LOOPS_DECL pidfd_child_watcher final : public detail::registry_watcher
{
public:
    /// Whether the kernel, and whatever filters this process's system calls, let pidfds be used.
    ///
    /// Tried once in a process, on the process itself. The environment variable
    /// `LOOPS_NO_PIDFD`, set to anything but nothing, says no untried: some filters end a process
    /// that makes a call they do not know.
    static bool is_supported() noexcept;

    /// @throws system_error with `operation_not_supported` where is_supported() is false.
    pidfd_child_watcher();

    /// Closes.
    ~pidfd_child_watcher() override;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
