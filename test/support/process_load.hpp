// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_PROCESS_LOAD_HPP
#define LOOPS_TEST_SUPPORT_PROCESS_LOAD_HPP

#include <chrono>
#include <cstddef>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <thread>

namespace test {

inline std::ptrdiff_t count_threads()
{
    // ThreadSanitizer has one of its own from the first one on.
    static const bool warm = (std::thread([] {}).join(), true);
    static_cast<void>(warm);
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

// What the process, or the calling thread, has used of the CPUs.
inline std::chrono::nanoseconds used_time(clockid_t clock = CLOCK_PROCESS_CPUTIME_ID)
{
    timespec used{};
    ::clock_gettime(clock, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

} // namespace test

#endif
