// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_HELD_SIGNALS_HPP
#define PREFORK_SERVER_HELD_SIGNALS_HPP

namespace prefork {

// A policy that runs its loops itself serves before the main thread gets to run_until_signal(). A
// SIGTERM that came in between would end the process, and connections with it. So it has to wait.

/// Holds SIGINT and SIGTERM back, on this thread and those that it starts: they stay pending.
void hold_stop_signals() noexcept;

/// Whether somebody handles them by now.
bool are_stop_signals_handled() noexcept;

/// Lets this thread take them, also those that came meanwhile.
void release_stop_signals() noexcept;

} // namespace prefork

#endif
