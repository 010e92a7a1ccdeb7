// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_WATCHER_MULTI_LOOP_CHILD_WATCHER_HPP
#define LOOPS_WATCHER_MULTI_LOOP_CHILD_WATCHER_HPP

#include <loops/child_watcher.hpp>
#include <loops/detail/registry_watcher.hpp>

#include <chrono>

namespace loops {
inline namespace LOOPS_ABI {

/// How often a multi_loop_child_watcher looks at its children.
struct look_interval
{
    /// After a registration and after an exit. More than 0; a day is taken for more than that.
    std::chrono::nanoseconds shortest = std::chrono::milliseconds(1);

    /// Each look that finds nothing doubles the interval, up to this. Not less than `shortest`: an
    /// exit is noticed no later than this after it happened, while its loop runs.
    std::chrono::nanoseconds longest = std::chrono::milliseconds(50);
};

/// Watches children by looking at them: no signal, no thread, no descriptor, one timer a loop.
///
/// It needs no attachment. Each loop looks at the children that are waited for on it, at an interval
/// between two bounds, one system call a child. Watchers that share a loop share its timer: it
/// follows the shorter bounds.
///
/// A child whose status somebody else takes is missed at the next look, and its waits end with
/// `error::child_status_lost`; where its number is another child's already, within a second or
/// at the next look after that.
///
/// @par Stop and continue
/// async_wait_state() sees them. Of several changes between two looks the last one is seen.
///
/// @par Fork
/// As the base class has it. A new watcher works in the forked child. As with all timers of Asio's, a
/// forked child that runs a loop without telling it, by `notify_fork(fork_child)`, takes expiries
/// from the parent.
///
/// @par Thread safety
/// As the base class has it.
class LOOPS_DECL multi_loop_child_watcher final : public detail::registry_watcher
{
public:
    /// @throws system_error with `invalid_argument` where `interval` is not as it says.
    explicit multi_loop_child_watcher(look_interval interval = look_interval());

    /// Closes.
    ~multi_loop_child_watcher() override;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
