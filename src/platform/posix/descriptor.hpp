// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_POSIX_DESCRIPTOR_HPP
#define LOOPS_SRC_PLATFORM_POSIX_DESCRIPTOR_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// Makes another descriptor, close-on-exec, of the same open file.
int copy_descriptor(int fd, error_code& ec) noexcept;

/// Closes a descriptor; below 0 it is none.
void close_descriptor(int fd) noexcept;

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
