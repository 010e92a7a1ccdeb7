// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_WATCHER_FAST_CHILD_WATCHER_HPP
#define LOOPS_WATCHER_FAST_CHILD_WATCHER_HPP

#include <loops/child_watcher.hpp>
#include <loops/detail/registry_watcher.hpp>

#include <functional>

namespace loops {
inline namespace LOOPS_ABI {

/// Watches children through SIGCHLD, and reaps *every* child of the process: for process 1 of a
/// container, and for subreapers. Where anything else in the process waits for children of its own,
/// as `std::system` and most libraries that start processes do, use another watcher. The constructor of
/// `boost::process::v2::process` opens a pidfd after it has started the child, and throws where this
/// watcher has reaped it by then.
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
/// @par Unclaimed exits
/// The exit of a child that nobody registered is kept, the last 1,024 of them, and given to a
/// registration that comes late: so a child may end before it is registered. The constructor's
/// function is told of each.
///
/// @par Complexity
/// A constant number of system calls an exit; once a second a look at up to 64 children, in turn, and
/// where there are more at the list of the process's children, which misses those whose status somebody
/// else took.
///
/// @par Stop and continue
/// async_wait_state() completes with `operation_not_supported`.
///
/// @par Fork
/// As the base class has it. A new watcher works in the forked child.
///
/// @par Thread safety
/// As the base class has it.
class LOOPS_DECL fast_child_watcher final : public detail::registry_watcher
{
public:
    /// What is told of the exits that nobody registered for.
    using unclaimed_function = std::function<void(const child_exit&)>;

    /// @param unclaimed Called on the loop that the watcher is attached to, for each exit of a child
    /// that nobody had registered; for some 1,024 of them, the last ones, where the watcher is
    /// detached or the loop does not run. Not after close(). Where more watchers of this kind are open, each has
    /// its own called.
    explicit fast_child_watcher(unclaimed_function unclaimed = nullptr);

    /// Closes.
    ~fast_child_watcher() override;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
