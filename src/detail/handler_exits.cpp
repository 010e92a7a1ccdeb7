// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/child_registry.hpp"
#include "detail/fork.hpp"

#include <cstddef>
#include <mutex>
#include <utility>

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
    wait.in_list.unlink();
    wait.service = nullptr;
    wait.stage = wait_stage::handed_over;
    return hand_out(wait);
}

bool child_registry::is_handed_over(std::uint64_t id) noexcept
{
    const child_wait* const wait = find_wait(id);
    return wait != nullptr && wait->stage == wait_stage::handed_over;
}

void child_registry::forget_handed_over(std::uint64_t id) noexcept
{
    child_wait* const wait = find_wait(id);
    if (wait != nullptr && wait->stage == wait_stage::handed_over)
        take(*wait);
}

ended_wait child_registry::withdraw(child_wait& wait) noexcept
{
    // Whoever adds a handler withdraws it where it was removed meanwhile: a second time, maybe.
    if (wait.stage == wait_stage::kept_exit || wait.stage == wait_stage::condemned)
        return {};
    if (!wait.has_exit() || wait.generation != fork_generation())
        return take(wait);
    if (child_record* const same = take_kept(wait.pid)) // from another watcher
        release(*same);
    loosen(wait);
    ended_wait end = hand_out(wait);
    add_kept(wait);
    return end;
}

void child_registry::add_kept(child_wait& wait) noexcept
{
    wait.stage = wait_stage::kept_exit;
    kept_.push_back(wait);
    if (++kept_count_ > most_kept)
        take(kept_.front());
}

// Its holder is the caller.
child_record* child_registry::take_kept(pid_type pid) noexcept
{
    child_record* kept = nullptr;
    each_added(pid, [&](child_wait& wait) {
        if (wait.stage != wait_stage::kept_exit)
            return;
        if (kept != nullptr)
            release(*kept);
        kept = std::exchange(wait.child, nullptr);
        take(wait);
    });
    return kept;
}

// The number belongs to another child now.
void child_registry::forget_exits(pid_type pid) noexcept
{
    if (child_record* const kept = take_kept(pid))
        release(*kept);
    each_added(pid, [](child_wait& wait) { wait.is_reused = wait.stage != wait_stage::pending; });
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
