// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_HANDLER_CALLS_HPP
#define LOOPS_TEST_SUPPORT_HANDLER_CALLS_HPP

#include <map>
#include <mutex>
#include <vector>

#include <sys/types.h>

namespace test {

// What handlers of the form (pid, returncode) were called with.
struct handler_calls
{
    std::mutex mutex;
    std::map<pid_t, std::vector<int>> codes;

    auto handler()
    {
        return [this](pid_t pid, int code) {
            const std::lock_guard lock(mutex);
            codes[pid].push_back(code);
        };
    }
};

} // namespace test

#endif
