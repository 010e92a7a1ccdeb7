// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/task_lane.hpp"

#include <loops/error.hpp>

#include "detail/fork.hpp"
#include "detail/loop_record.hpp"

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

task_place::waiter task_place::take_out() noexcept
{
    lane_->queue_.erase(lane_->queue_.iterator_to(*this));
    return std::exchange(waiting_, {});
}

void task_place::wait_locked(const std::shared_ptr<task_place>& self, task what) noexcept
{
    state_ = state::waiting;
    waiting_.place = self;
    waiting_.what.emplace(std::move(what));
    lane_->queue_.push_back(*this);
}

void task_place::take(const std::shared_ptr<task_place>& self, task what, const task_factory& next)
{
    using answer = bound_fsm::answer;
    const bool may_wait = what.may_wait();
    std::unique_lock lock(self->lane_->mutex());
    answer now = self->lane_->fsm_locked().ask(may_wait);
    if (now == answer::wait)
    {
        lock.unlock();
        self->waiting_.next = next;
        what.on_cancel([weak = std::weak_ptr(self)] {
            if (const auto place = weak.lock())
                place->withdraw();
        });
        lock.lock();
        if (self->state_ == state::gone)
        {
            lock.unlock();
            what.refuse(asio::error::operation_aborted);
            return;
        }
    }
    now = self->lane_->fsm_locked().arrive(may_wait);
    if (now == answer::wait)
    {
        self->wait_locked(self, std::move(what));
        return;
    }
    self->state_ = now == answer::start ? state::running : state::gone;
    lock.unlock();
    if (now == answer::start)
        what.pass_to(next);
    else
        what.refuse(error::queue_full);
}

void task_place::leave() noexcept
{
    std::unique_lock lock(lane_->mutex());
    if (std::exchange(state_, state::gone) != state::running)
        return;
    lane_->fsm_locked().end();
    lane_->start_waiting(lock);
}

void task_place::withdraw()
{
    waiter out; // dropped when the lane is not locked any more
    const std::lock_guard lock(lane_->mutex());
    if (state_ == state::running)
        return;
    if (std::exchange(state_, state::gone) != state::waiting)
        return;
    lane_->fsm_locked().withdraw();
    out = take_out();
}

task_lane::task_lane(std::shared_ptr<loop_record> loop, std::shared_ptr<const task_bound> bound)
    : loop_(std::move(loop)),
      bound_(std::move(bound)),
      fsm_(bound_->most_tasks, bound_->most_waiting),
      generation_(fork_generation())
{}

task_lane::~task_lane()
{
    const std::lock_guard lock(mutex());
    if (is_linked())
        loop_->lanes_.erase(loop_->lanes_.iterator_to(*this));
}

std::mutex& task_lane::mutex() noexcept
{
    return loop_->mutex_;
}

bound_fsm& task_lane::fsm_locked() noexcept
{
    if (std::exchange(generation_, fork_generation()) != fork_generation())
        fsm_.forget_starter();
    return fsm_;
}

task_lane* task_lane::find_locked(loop_record& loop, const task_bound& bound) noexcept
{
    for (task_lane& each : loop.lanes_)
    {
        // Not one that nobody owns any more, and which waits for the mutex to go.
        if (each.bound_.get() == &bound && !each.weak_from_this().expired())
            return &each;
    }
    return nullptr;
}

std::shared_ptr<task_lane> task_lane::find_or_make(
    asio::io_context& loop, const std::shared_ptr<const task_bound>& bound)
{
    const auto record = record_of(loop);
    std::shared_ptr<task_lane> made;
    for (;;)
    {
        {
            const std::lock_guard lock(record->mutex_);
            task_lane* const there = find_locked(*record, *bound);
            // Its last owner may let go of it at any moment.
            if (auto found = there != nullptr ? there->weak_from_this().lock() : nullptr)
                return found;
            if (made)
            {
                record->lanes_.push_back(*made);
                return made;
            }
        }
        made = std::make_shared<task_lane>(record, bound);
    }
}

void task_lane::take(
    const std::shared_ptr<const task_bound>& bound, task what, const task_factory& next)
{
    if (what.loop() == nullptr)
    {
        what.pass_to(next);
        return;
    }
    const auto place = std::make_shared<task_place>(find_or_make(*what.loop(), bound));
    what.on_end([place] { place->leave(); });
    task_place::take(place, std::move(what), next);
}

// Not by each that has an end to tell, but by one at a time and in a loop: so they start in order,
// and a task that ends as it starts nests no deeper than the first.
void task_lane::start_waiting(std::unique_lock<std::mutex>& lock) noexcept
{
    if (!fsm_.begin_starting())
        return;
    while (fsm_.next())
    {
        queue_.front().state_ = task_place::state::running;
        task_place::waiter first = queue_.front().take_out();
        lock.unlock();
        try
        {
            if (loop_->context() != nullptr)
                first.what->pass_to(first.next);
            else
                first.what->refuse(error::loop_closed);
        }
        catch (...) // no memory to tell anybody with; the others have their turn
        {}
        first = {};
        lock.lock();
    }
}

task_counts task_lane::count(const task_bound& bound, asio::io_context& loop)
{
    const auto record = known_record_of(loop);
    if (!record)
        return {};
    const std::lock_guard lock(record->mutex_);
    const task_lane* const lane = find_locked(*record, bound);
    return lane != nullptr ? task_counts{lane->fsm_.running(), lane->fsm_.waiting()}
                           : task_counts{};
}

void task_lane::refuse_waiting(loop_record& loop) noexcept
{
    for (;;)
    {
        task_place::waiter first;
        {
            const std::lock_guard lock(loop.mutex_);
            for (task_lane& each : loop.lanes_)
            {
                if (each.queue_.empty())
                    continue;
                each.fsm_.withdraw();
                each.queue_.front().state_ = task_place::state::gone;
                first = each.queue_.front().take_out();
                break;
            }
        }
        if (!first.place)
            return;
        try
        {
            first.what->refuse(error::loop_closed);
        }
        catch (...) // no memory to tell anybody with
        {}
    }
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
