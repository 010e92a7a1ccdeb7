// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/random.hpp"

#include <atomic>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

std::atomic<std::uint64_t> threads{0};

// Constant-initialised, as every thread's look-up of anything else would cost a guard.
thread_local std::uint64_t of_this_thread = 0;

} // namespace

std::uint64_t next_random() noexcept
{
    if (of_this_thread == 0)
    {
        // Far from each other's, so that threads which start together do not choose alike.
        std::uint64_t number = threads.fetch_add(1, std::memory_order_relaxed);
        of_this_thread = next_random(number);
    }
    return next_random(of_this_thread);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
