// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_POSIX_CHILD_SIGNAL_HPP
#define LOOPS_SRC_PLATFORM_POSIX_CHILD_SIGNAL_HPP

#include <loops/config.hpp>

#include <csignal>

// What the process does about SIGCHLD: a handler of ours in front of those that were there.

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

using signal_action = struct sigaction;

signal_action child_signal_action() noexcept;
void set_child_signal_action(const signal_action& action) noexcept;

/// Who has the signal.
enum class child_signal_owner
{
    us,
    somebody_else, // a handler was installed over ours, or the default put back
    nobody         // it is ignored, or SA_NOCLDWAIT set: the kernel keeps no status
};

child_signal_owner owner_of_child_signal() noexcept;

/// Installs our handler: it calls `wake`, then the handler of `under` (Asio's), then that of `first`,
/// which was there before Asio's; either may be none. `wake` may do what a signal handler may.
void install_child_handler(
    const signal_action& first, const signal_action& under, void (*wake)()) noexcept;

/// Has our handler call that of `under` no more, and gives it; returns when no thread is in it.
void (*forget_handler_below() noexcept)(int);

/// Has our handler call this one again.
void set_handler_below(void (*handler)(int)) noexcept;

/// The `first` of the last installation.
signal_action action_before_ours() noexcept;

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
