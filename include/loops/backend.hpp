// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BACKEND_HPP
#define LOOPS_BACKEND_HPP

#include <loops/config.hpp>

#include <cstddef>
#include <string_view>

namespace loops {
inline namespace LOOPS_ABI {

/// The mechanism by which Asio waits for descriptors. Asio fixes it when it is compiled.
enum class backend_type
{
    epoll,
    io_uring,
    select,
    kqueue,
    iocp,
};

/// Tells which mechanism this build of the library, and so of the program, uses.
LOOPS_DECL backend_type backend() noexcept;

/// The name of a mechanism, as the build option `asio-backend=` spells it.
LOOPS_DECL std::string_view to_string(backend_type backend) noexcept;

/// Counts the threads that this process can really run at the same time.
///
/// @return The number of CPUs in the calling thread's affinity mask, or the CPU quota of the
/// process's cgroup (version 1 or 2) rounded up, whichever is smaller; at least 1. Where the
/// system tells neither, `std::thread::hardware_concurrency()`.
///
/// @par Thread safety
/// Safe. The answer is read anew at each call, since masks and quotas change.
LOOPS_DECL std::size_t available_parallelism();

} // namespace LOOPS_ABI
} // namespace loops

#endif
