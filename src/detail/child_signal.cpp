// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/child_signal.hpp"

#include <loops/error.hpp>

#include "detail/fork.hpp"

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

using platform::child_signal_owner;

child_signal::child_signal(void (*wake)())
    : before_(platform::child_signal_action()),
      inherited_(platform::owner_of_child_signal() == child_signal_owner::us)
{
    listen();
    signals_.add(SIGCHLD);
    asios_ = platform::child_signal_action();
    const bool ignored = (before_.sa_flags & SA_NOCLDWAIT) != 0 ||
                         ((before_.sa_flags & SA_SIGINFO) == 0 &&
                             before_.sa_handler == SIG_IGN); // NOLINT: the system's macro casts
    if (ignored)
        message_ =
            "SIGCHLD was ignored, or SA_NOCLDWAIT set, when a child watcher took it: the kernel "
            "kept no statuses until then";
    platform::install_child_handler(before_, asios_, wake);
}

child_signal::~child_signal()
{
    const platform::signal_action now = platform::child_signal_action();
    const bool ours = platform::owner_of_child_signal() == child_signal_owner::us;
    // Asio closes its pipe with the last of its sets, and its handler must not write there then.
    const auto below = platform::forget_handler_below();
    error_code ignored;
    signals_.clear(ignored);
    if (inherited_ && ours)
    {
        // As it was found, for the sets that were inherited as well.
        platform::set_handler_below(below);
        return;
    }
    const platform::signal_action left = platform::child_signal_action();
    const platform::signal_action before = platform::action_before_ours();
    if (!ours)
        platform::set_child_signal_action(now); // somebody else's stays
    else if (platform::owner_of_child_signal() == child_signal_owner::us)
        platform::set_child_signal_action(asios_); // the application has a set for it now
    else if (before.sa_handler != asios_.sa_handler || left.sa_handler != SIG_DFL) // NOLINT
        platform::set_child_signal_action(before);
    // Else a set that the application had for it before is gone, and Asio put back the default.
}

void child_signal::listen()
{
    signals_.async_wait([this](const error_code& ec, int) {
        if (!ec)
            listen();
    });
}

void child_signal::drain()
{
    if (fork_generation() == 0)
        loop_.poll();
}

bool child_signal::reaches_us() noexcept
{
    const child_signal_owner owner = platform::owner_of_child_signal();
    if (std::exchange(owner_, owner) == owner)
        return owner == child_signal_owner::us;
    if (owner == child_signal_owner::somebody_else)
        message_ = "a handler for SIGCHLD was installed over that of the child watchers, or the "
                   "default put back: children are looked at every 50 ms as well";
    else if (owner == child_signal_owner::nobody)
        message_ =
            "SIGCHLD is ignored now, or SA_NOCLDWAIT set: the kernel discards the statuses of "
            "children, and waits for them end with child_status_lost";
    return owner == child_signal_owner::us;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
