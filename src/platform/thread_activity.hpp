// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_THREAD_ACTIVITY_HPP
#define LOOPS_SRC_PLATFORM_THREAD_ACTIVITY_HPP

#include <loops/config.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

// What the system tells of the threads of this process, without a word from them.

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// The system's number of the calling thread.
pid_type thread_id() noexcept;

/// What a thread has used so far.
struct thread_usage
{
    std::chrono::nanoseconds cpu{};
    std::uint64_t sleeps = 0; // how often it has given up its CPU by itself
};

thread_usage usage_of_this_thread() noexcept;
std::chrono::nanoseconds cpu_time_of_this_thread() noexcept;

/// The same of another thread; nothing where it has ended.
std::optional<thread_usage> usage_of(pid_type thread);

/// A look at a thread.
struct thread_activity
{
    thread_usage used;
    // In a queue for a CPU, up to the last time that it got one; 0 where the kernel does not count.
    std::chrono::nanoseconds waited{};
    bool runnable = false;           // it has a CPU, or waits for one
    std::optional<long> system_call; // the number of the one that it sleeps in, where known
};

/// Nothing where the thread has ended.
std::optional<thread_activity> look_at(pid_type thread);

/// The name that the thread has for the system; empty where it has ended.
std::string name_of_thread(pid_type thread);

/// Such as `read`; a number without a name gives `system call 17`.
std::string system_call_name(long number);

/// How often the CPU quota of the process's control group, or of one above it, has held its threads
/// up; 0 where there is none.
std::uint64_t times_throttled();

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
