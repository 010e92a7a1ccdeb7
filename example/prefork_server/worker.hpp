// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_WORKER_HPP
#define PREFORK_SERVER_WORKER_HPP

#include "options.hpp"

namespace prefork {

/// Serves on the inherited socket, on the loops of the policy, until SIGINT or SIGTERM.
/// @return The program's exit status.
int run_worker(const options& from);

} // namespace prefork

#endif
