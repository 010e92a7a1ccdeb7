// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_WATCHER_SAFE_CHILD_WATCHER_HPP
#define LOOPS_WATCHER_SAFE_CHILD_WATCHER_HPP

#include <loops/child_watcher.hpp>
#include <loops/detail/registry_watcher.hpp>

namespace loops {
inline namespace LOOPS_ABI {

/// Watches children through SIGCHLD, and reaps those that were registered, no others: no descriptor
/// a child, and one thread of the library's.
///
/// It is active once it was attached to a loop, which delivers what has no executor of its own.
/// SIGCHLD is taken from then on, or from the first wait on, until the last watcher that needs it is
/// closed. A thread of the library looks at the children, so that an exit is noticed whichever loops
/// run.
///
/// @par The signal
/// The application's own handler, where one was installed before, keeps being called, and is put
/// back. The registration is one of `asio::signal_set`'s: the application's signal sets for SIGCHLD
/// work beside it. What takes the signal from the library is said through the log hook, once: a
/// handler that is installed over the library's, SIGCHLD ignored, or `SA_NOCLDWAIT`. Children are looked at every 50 ms then; of those whose status the kernel
/// discards, the waits end with `error::child_status_lost`. The handler that was installed over the
/// library's stays.
///
/// @par Complexity
/// A signal costs one look at who is dead, and what each exit needs. While a dead child that nobody
/// registered stands first, it costs a look at each registered child. Once a second up to 64 children are
/// looked at, in turn, and where there are more the list of the process's children, which misses those
/// whose status somebody else took.
///
/// @par Stop and continue
/// async_wait_state() sees them.
///
/// @par Fork
/// As the base class has it. A new watcher works in the forked child.
///
/// @par Thread safety
/// As the base class has it.
class LOOPS_DECL safe_child_watcher final : public detail::registry_watcher
{
public:
    safe_child_watcher();

    /// Closes.
    ~safe_child_watcher() override;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
