// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_CHILD_STATE_HPP
#define LOOPS_CHILD_STATE_HPP

#include <loops/child_exit.hpp>
#include <loops/config.hpp>

namespace loops {
inline namespace LOOPS_ABI {

/// What happened to a child last: it was stopped, it was continued, or it ended. What
/// `child_watcher::async_wait_state()` yields. A small value; copy it. Thread safety is that of an
/// `int`.
class LOOPS_DECL child_state
{
public:
    /// Makes the state of no process: what accompanies an error.
    child_state() = default;

    /// Makes a state of what a wait said, whose native status is as `waitpid` with `WUNTRACED` and
    /// `WCONTINUED` gives it.
    explicit child_state(const child_exit& said) noexcept : said_(said) {}

    /// The child's process identifier; 0 where there is no state, but an error.
    pid_type pid() const noexcept { return said_.pid(); }

    /// Whether a signal stopped the child.
    bool stopped() const noexcept;

    /// The signal that stopped the child; 0 where none did.
    int stop_signal() const noexcept;

    /// Whether the child was continued.
    bool continued() const noexcept;

    /// Whether the child ended: there will be no other state.
    bool ended() const noexcept;

    /// How the child ended; the exit of no process where it did not.
    child_exit exit() const noexcept { return ended() ? said_ : child_exit(); }

    /// The status in the system's own coding.
    int native_status() const noexcept { return said_.native_status(); }

private:
    child_exit said_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
