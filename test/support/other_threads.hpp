// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_OTHER_THREADS_HPP
#define LOOPS_TEST_SUPPORT_OTHER_THREADS_HPP

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <unistd.h>

namespace test {

// How long each other thread of this process has run, by its number, and whether all of them sleep.
struct threads_seen
{
    std::map<std::string, std::string> run;
    bool all_sleep = true;
};

inline threads_seen see_other_threads()
{
    threads_seen seen;
    std::error_code gone; // a thread may end meanwhile
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", gone))
    {
        const std::string number = task.path().filename();
        if (number == std::to_string(::gettid()))
            continue;
        std::string stat;
        std::getline(std::ifstream(task.path() / "stat"), stat);
        const std::size_t name_end = stat.rfind(')');
        seen.all_sleep &= name_end != std::string::npos && stat.compare(name_end, 3, ") S") == 0;
        std::getline(std::ifstream(task.path() / "schedstat"), seen.run[number]);
    }
    return seen;
}

// Until all other threads of this process sleep, and none has run while they were looked at; a second
// at most, for those that spin.
inline void until_others_sleep()
{
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    threads_seen before = see_other_threads();
    while (std::chrono::steady_clock::now() < end)
    {
        threads_seen now = see_other_threads();
        if (before.all_sleep && now.all_sleep && now.run == before.run)
            return;
        before = std::move(now);
        std::this_thread::yield();
    }
}

} // namespace test

#endif
