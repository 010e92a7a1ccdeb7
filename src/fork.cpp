// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/fork.hpp"

#include "detail/thread_state.hpp"
#include "platform/system.hpp"

#include <array>
#include <atomic>
#include <cstddef>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

std::atomic<unsigned> generation{0};

struct held_mutexes
{
    std::mutex registration;
    std::array<std::mutex*, 8> all{};
    std::size_t count = 0;
};

held_mutexes& held();

void before()
{
    held().registration.lock();
    for (std::size_t i = 0; i < held().count; ++i)
        held().all[i]->lock();
}

void in_parent()
{
    for (std::size_t i = held().count; i > 0; --i)
        held().all[i - 1]->unlock();
    held().registration.unlock();
}

void in_child()
{
    generation.fetch_add(1, std::memory_order_release);
    thread_state::of_this_thread() = thread_state();
    in_parent();
}

held_mutexes& held()
{
    static held_mutexes& it = *new held_mutexes;
    return it;
}

} // namespace

unsigned fork_generation() noexcept
{
    return generation.load(std::memory_order_acquire);
}

void hold_around_fork(std::mutex& mutex)
{
    static const bool installed = (platform::at_fork(before, in_parent, in_child), true);
    (void)installed;
    const std::lock_guard lock(held().registration);
    held().all.at(held().count) = &mutex;
    ++held().count;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
