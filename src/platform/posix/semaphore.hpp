// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_POSIX_SEMAPHORE_HPP
#define LOOPS_SRC_PLATFORM_POSIX_SEMAPHORE_HPP

#include <loops/config.hpp>

#include <chrono>

#include <semaphore.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// A count that a thread waits for. Of all that wakes a thread, only this may be done in a signal's
/// handler.
class semaphore
{
public:
    semaphore() noexcept { ::sem_init(&it_, 0, 0); }
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;
    ~semaphore() { ::sem_destroy(&it_); }

    void post() noexcept { ::sem_post(&it_); }

    void wait() noexcept
    {
        while (::sem_wait(&it_) != 0) // EINTR
        {}
    }

    bool try_wait() noexcept { return ::sem_trywait(&it_) == 0; }

    /// Returns early where a signal's handler ran.
    void wait_until(std::chrono::steady_clock::time_point time) noexcept
    {
        const auto since = time.time_since_epoch();
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
        timespec at{};
        at.tv_sec = static_cast<time_t>(seconds.count());
        at.tv_nsec = static_cast<long>(std::chrono::nanoseconds(since - seconds).count());
        ::sem_clockwait(&it_, CLOCK_MONOTONIC, &at);
    }

private:
    sem_t it_;
};

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
