// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_FORK_LOCAL_HPP
#define LOOPS_SRC_DETAIL_FORK_LOCAL_HPP

#include <loops/config.hpp>

#include "detail/fork.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What each process has one of: a forked child leaves the parent's behind at its first use, and makes
// one of its own.
template <class T>
class fork_local
{
public:
    // `make` is called under the mutex, which `get()` locks once in each process.
    fork_local(fork_mutex& mutex, std::function<std::shared_ptr<T>()> make)
        : mutex_(mutex), make_(std::move(make)), present_(make_()), generation_(fork_generation())
    {}

    fork_local(const fork_local&) = delete;
    fork_local& operator=(const fork_local&) = delete;

    const std::shared_ptr<T>& get() const
    {
        if (generation_.load(std::memory_order_acquire) != fork_generation())
        {
            const std::lock_guard lock(mutex_);
            if (generation_ != fork_generation())
            {
                leave_behind(std::exchange(present_, make_()));
                generation_.store(fork_generation(), std::memory_order_release);
            }
        }
        return present_;
    }

private:
    fork_mutex& mutex_;
    const std::function<std::shared_ptr<T>()> make_;
    mutable std::shared_ptr<T> present_;
    mutable std::atomic<unsigned> generation_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
