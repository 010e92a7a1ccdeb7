// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/child_registry.hpp"
#include "detail/fork.hpp"

#include <cstddef>
#include <mutex>
#include <optional>

// What the registry does for added handlers, which can be removed as late as they like: their exits,
// until they are called, and after they were removed.

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

constexpr std::size_t most_kept = 1024;

} // namespace

void child_registry::drop_added(child_wait& wait) noexcept
{
    auto [next, last] = added_.equal_range({wait.generation, wait.pid});
    while (next->second != &wait)
        ++next;
    added_.erase(next);
    wait.is_handler = false;
}

ended_wait child_registry::hand_over(child_wait& wait) noexcept
{
    if (!wait.is_handler)
        return take(wait);
    wait.in_stage.unlink();
    wait.service = nullptr;
    wait.stage = wait_stage::handed_over;
    ended_wait end;
    end.swap(wait.end);
    wait.end.ec = end.ec;
    wait.end.exit = end.exit;
    return end;
}

void child_registry::forget_handed_over(std::uint64_t id) noexcept
{
    child_wait* const wait = find_wait(id);
    if (wait != nullptr && wait->stage == wait_stage::handed_over)
        take(*wait);
}

ended_wait child_registry::withdraw(child_wait& wait) noexcept
{
    if (!wait.has_exit() || wait.generation != fork_generation())
        return take(wait);
    take_kept(wait.pid); // the same one, from another watcher
    loosen(wait);
    wait.stage = wait_stage::kept_exit;
    ended_wait end;
    end.handler.swap(wait.end.handler);
    end.executor.swap(wait.end.executor);
    kept_.push_back(wait);
    if (++kept_count_ > most_kept)
        take(kept_.front());
    return end;
}

std::optional<child_exit> child_registry::take_kept(pid_type pid) noexcept
{
    std::optional<child_exit> kept;
    each_added(pid, [&](child_wait& wait) {
        if (wait.stage == wait_stage::kept_exit)
            kept = take(wait).exit;
    });
    return kept;
}

// The number belongs to another child now.
void child_registry::forget_exits(pid_type pid) noexcept
{
    take_kept(pid);
    each_added(pid, [](child_wait& wait) { wait.reused = wait.stage != wait_stage::pending; });
}

condemned_waits::~condemned_waits()
{
    child_registry& registry = child_registry::instance();
    for (;;)
    {
        ended_wait end; // destroyed after the lock is gone
        const std::lock_guard lock(registry.mutex);
        if (waits_.empty())
            return;
        registry.take(waits_.front()).swap(end);
    }
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
