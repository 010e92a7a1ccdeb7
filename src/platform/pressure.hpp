// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_PRESSURE_HPP
#define LOOPS_SRC_PLATFORM_PRESSURE_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// Opens a descriptor, close-on-exec, that has priority data, as poll(2) has it, whenever some task of the machine had to
/// wait for memory for a tenth of a second within two. The kernel's pressure stall information.
int open_memory_pressure(error_code& ec) noexcept;

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
