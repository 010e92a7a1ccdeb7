// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_WATCHERS_HPP
#define PREFORK_SERVER_WATCHERS_HPP

#include <string>

namespace prefork {

/// The child watchers that `--watcher` knows, for messages.
std::string watcher_names();

/// @throws usage_error for a name that is none's, or a watcher that does not work here.
void check_watcher(const std::string& name);

/// Makes the watcher of that name the one of the current policy; "default" leaves the choice to
/// Loops.
void install_watcher(const std::string& name);

} // namespace prefork

#endif
