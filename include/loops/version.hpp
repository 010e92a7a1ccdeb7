// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_VERSION_HPP
#define LOOPS_VERSION_HPP

/// The library's version: major * 100000 + minor * 100 + patch.
#define LOOPS_VERSION 100

/// The library's version as text. The minor number changes when the binary interface does.
#define LOOPS_VERSION_STRING "0.1.0"

#endif
