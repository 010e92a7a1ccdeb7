// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_WATCHER_THREADED_CHILD_WATCHER_HPP
#define LOOPS_WATCHER_THREADED_CHILD_WATCHER_HPP

#include <loops/child_watcher.hpp>
#include <loops/detail/registry_watcher.hpp>

namespace loops {
inline namespace LOOPS_ABI {

/// Watches children by threads of the library that wait for them: no descriptor a child, no signal,
/// and two threads in the process, however many children and watchers there are.
///
/// It needs no attachment. One thread blocks until any child of the process is dead, another one
/// reaps those that were registered. A dead child that nobody registered stays as it is. While there
/// is one, which the system then names first whoever else is dead, the threads look at the
/// registered children at intervals: of 5 ms at first, and of 100 ms at most.
///
/// A child whose status somebody else takes is missed within a second, and its waits end with
/// `error::child_status_lost`.
///
/// close() waits for no thread that waits for a child: such a thread ends when the next child of the
/// process ends. Where a thread cannot be had (`EAGAIN`), waits are watched as
/// multi_loop_child_watcher would.
///
/// @par Stop and continue
/// async_wait_state() completes with `operation_not_supported`.
///
/// @par Fork
/// As the base class has it. A new watcher works in the forked child, with threads of its own.
///
/// @par Thread safety
/// As the base class has it.
class LOOPS_DECL threaded_child_watcher final : public detail::registry_watcher
{
public:
    threaded_child_watcher();

    /// Closes.
    ~threaded_child_watcher() override;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
