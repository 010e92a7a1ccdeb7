// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_MASTER_HPP
#define PREFORK_SERVER_MASTER_HPP

#include "options.hpp"

namespace prefork {

/// Binds the port, keeps the workers alive, and ends them at SIGINT or SIGTERM.
/// @return The program's exit status.
/// @throws system_error where the port cannot be bound, or what a master needs cannot be had.
int run_master(const options& from);

} // namespace prefork

#endif
