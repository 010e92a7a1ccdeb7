// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/fork.hpp"

#include "detail/thread_state.hpp"
#include "platform/system.hpp"

#include <algorithm>
#include <atomic>
#include <list>
#include <thread>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

std::atomic<unsigned> generation{0};

struct mutex_list
{
    std::mutex mutex;
    std::vector<std::mutex*> all;
};

mutex_list& mutexes()
{
    static mutex_list& it = *new mutex_list;
    return it;
}

struct left_things
{
    std::mutex mutex;
    std::list<std::shared_ptr<void>> all;
};

left_things& left()
{
    static left_things& it = *new left_things;
    return it;
}

// All or none: whoever holds one may wait for another, in whatever order.
bool lock_all()
{
    auto& all = mutexes().all;
    const auto busy =
        std::find_if(all.begin(), all.end(), [](std::mutex* each) { return !each->try_lock(); });
    if (busy == all.end())
        return true;
    std::for_each(all.begin(), busy, [](std::mutex* each) { each->unlock(); });
    return false;
}

void before()
{
    for (;;)
    {
        mutexes().mutex.lock();
        if (lock_all())
            return;
        mutexes().mutex.unlock();
        std::this_thread::yield();
    }
}

void in_parent()
{
    for (std::mutex* const each : mutexes().all)
        each->unlock();
    mutexes().mutex.unlock();
}

void in_child()
{
    generation.fetch_add(1, std::memory_order_release);
    thread_state::of_this_thread().enter_child();
    in_parent();
}

} // namespace

unsigned fork_generation() noexcept
{
    return generation.load(std::memory_order_acquire);
}

fork_mutex::fork_mutex()
{
    static const bool installed = (platform::at_fork(before, in_parent, in_child), true);
    (void)installed;
    const std::lock_guard lock(mutexes().mutex);
    mutexes().all.push_back(this);
}

fork_mutex::~fork_mutex()
{
    const std::lock_guard lock(mutexes().mutex);
    auto& all = mutexes().all;
    all.erase(std::find(all.begin(), all.end(), this));
}

void leave_behind(std::shared_ptr<void> inherited) noexcept
{
    const std::lock_guard lock(left().mutex);
    left().all.push_back(std::move(inherited));
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
