// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_SYSTEM_HPP
#define LOOPS_SRC_PLATFORM_SYSTEM_HPP

#include <loops/config.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

// What Loops asks of the system about threads and CPUs. Each platform's folder implements it.

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

pid_type process_id() noexcept;

/// Whether the calling thread is the one that entered `main`.
bool on_main_thread() noexcept;

/// Name and number of the calling thread, for messages: `thread 'web-1' (1234)`.
std::string describe_thread();

/// Starts a thread with all signals blocked while it is made, so that the application's signals
/// keep reaching the application's threads. Throws system_error.
std::thread start_thread(std::function<void()> body);

/// Names the calling thread; longer names are cut to what the system takes.
void name_thread(const std::string& name) noexcept;

/// The CPUs that the calling thread may run on; empty where the system does not tell.
std::vector<unsigned> allowed_cpus();

/// Binds the calling thread to one CPU. Throws system_error.
void pin_thread(unsigned cpu);

/// The CPU quota of the process's cgroup, in CPUs; nothing where there is none.
std::optional<double> cpu_quota();

/// Calls these around every fork() of the process, before and, in both processes, after.
void at_fork(void (*prepare)(), void (*parent)(), void (*child)());

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
