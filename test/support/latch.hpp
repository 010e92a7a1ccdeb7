// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_LATCH_HPP
#define LOOPS_TEST_SUPPORT_LATCH_HPP

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace test {

// Long enough for a loaded machine under a sanitizer; a test that meets it has failed.
constexpr std::chrono::seconds patience{20};

// Counts down to an event that a test waits for.
class latch
{
public:
    explicit latch(std::size_t count = 1) : left_(count) {}

    void count_down()
    {
        const std::lock_guard lock(mutex_);
        if (left_ > 0)
            --left_;
        changed_.notify_all();
    }

    // False where it did not come in time.
    bool wait()
    {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, [this] { return left_ == 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t left_;
};

// Asks `done` until it is true, giving way to other threads; for what notifies nobody.
template <class Condition>
bool eventually(Condition done)
{
    const auto end = std::chrono::steady_clock::now() + patience;
    std::mutex mutex;
    std::condition_variable nobody;
    std::unique_lock lock(mutex);
    while (!done())
    {
        if (std::chrono::steady_clock::now() > end)
            return false;
        nobody.wait_for(lock, std::chrono::microseconds(200));
    }
    return true;
}

} // namespace test

#endif
