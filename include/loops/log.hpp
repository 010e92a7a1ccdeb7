// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_LOG_HPP
#define LOOPS_LOG_HPP

#include <loops/config.hpp>

#include <functional>
#include <string_view>

namespace loops {
inline namespace LOOPS_ABI {

/// Receives what Loops has to say that is nobody's return value: a loop that died with work that
/// never ran, a watcher that was detached with waits pending, a handler that held its loop up.
///
/// It is called on the thread that noticed, with no lock of Loops held, and must not throw.
using log_hook = std::function<void(std::string_view message)>;

/// Replaces the process's log hook.
///
/// @param hook The new hook; an empty one puts the default back, which writes one line a message,
/// headed `loops: `, to standard error.
///
/// @return The hook that was set before, empty if that was the default.
///
/// @par Thread safety
/// Safe. A message that is being delivered may still reach the old hook after the call.
LOOPS_DECL log_hook set_log_hook(log_hook hook);

} // namespace LOOPS_ABI
} // namespace loops

#endif
