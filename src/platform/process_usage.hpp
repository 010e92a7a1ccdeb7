// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_PROCESS_USAGE_HPP
#define LOOPS_SRC_PLATFORM_PROCESS_USAGE_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

// How large processes are, whosever they are.

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

struct process_usage
{
    std::uint64_t resident_memory = 0; // bytes
    std::chrono::nanoseconds cpu_time{};
    std::size_t threads = 0;
};

/// Of the process with that number; nothing where there is none.
std::optional<process_usage> usage_of_process(pid_type pid);

/// How many descriptors it has open.
std::size_t count_descriptors(pid_type pid, error_code& ec);

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
