// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// How the thread of a single loop ends while the crew goes on. Asio does not tell whether a loop has
// work; so a loop that may be idle is let run out of work, and its thread asks then.

#include "detail/crew.hpp"
#include "detail/loop_record.hpp"

#include <algorithm>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Whether a run that has ended, and that nobody ended, is to go on.
bool crew::goes_on(lock_type& lock, member& self) const
{
    if (!self.own_thread)
        return false;
    unit& it = *self.of;
    if (undo_requested_stop(lock, self))
        return !stopping_ && !it.removed;
    if (!it.let_idle || it.record->is_stopped_by_user())
        return false;
    lock.unlock();
    const bool ends = self.on_idle();
    lock.lock();
    if (ends || stopping_ || it.removed)
        return false;
    it.let_idle = false;
    it.loop->restart();
    if (!draining_)
        it.work.emplace(it.loop->get_executor());
    return true;
}

// A request to stop ends the runs that callers make, not what the policy does for them.
bool crew::undo_requested_stop(lock_type& lock, member& self)
{
    lock.unlock(); // callers that leave want it
    const bool was_requested = self.of->record->undo_requested_stop(self.requested_stops);
    lock.lock();
    return was_requested;
}

bool crew::let_idle(const asio::io_context& loop)
{
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(
        units_.begin(), units_.end(), [&](const auto& each) { return each->loop == &loop; });
    if (found == units_.end())
        return false;
    if (!stopping_ && !draining_)
    {
        (*found)->let_idle = true;
        (*found)->work.reset();
    }
    return true;
}

bool crew::withdraw(const asio::io_context& loop)
{
    const std::lock_guard lock(mutex_);
    if (std::any_of(
            units_.begin(), units_.end(), [&](const auto& each) { return each->loop == &loop; }))
        return false;
    posts_.erase(std::remove_if(posts_.begin(), posts_.end(),
                     [&](const post& each) { return each.loop == &loop; }),
        posts_.end());
    return true;
}

void crew::wait_for_stop(std::uint64_t since)
{
    lock_type lock(mutex_);
    changed_.wait(lock, [&] { return stops_ != since; });
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
