// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_WATCHER_DEFAULT_CHILD_WATCHER_HPP
#define LOOPS_WATCHER_DEFAULT_CHILD_WATCHER_HPP

#include <loops/child_watcher.hpp>

#include <memory>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {

/// The best watcher that works in this process, and why it is that one.
struct default_child_watcher_choice
{
    std::shared_ptr<child_watcher> watcher; ///< a new one, not attached
    std::string reason; ///< for people: "pidfds work here", or what was refused, and by what call
};

/// Makes the best watcher that works here: a pidfd_child_watcher where pidfds can be used, which is
/// tried on the process itself, once; else a threaded_child_watcher. Old kernels, filters of system
/// calls (seccomp) and sandboxes refuse pidfds; `LOOPS_NO_PIDFD` in the environment has them not
/// tried. What a policy makes on demand is made by this.
///
/// Thread safe.
///
/// @throws `std::bad_alloc`.
LOOPS_DECL default_child_watcher_choice choose_child_watcher();

/// The same, without the reason.
LOOPS_DECL std::shared_ptr<child_watcher> default_child_watcher();

} // namespace LOOPS_ABI
} // namespace loops

#endif
