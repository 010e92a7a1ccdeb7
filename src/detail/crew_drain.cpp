// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Loops that hand work to each other are out of work only together. So in a drain each loop that
// runs dry is kept reachable, and is idle until something comes. When all are idle, a probe goes to
// each, behind which it runs dry once more. Where nothing but probes ran in between, all of them
// were out of work at the moment when the first probe left: nothing is under way any more.

#include "detail/crew.hpp"
#include "detail/loop_record.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// A member found its loop out of work. Waits until all members of the loop have, since one that
// slept through the end would go on unseen. False: the member is to leave.
bool crew::stays_in_drain(lock_type& lock, member& self)
{
    unit& it = *self.of;
    const bool alone = std::all_of(
        units_.begin(), units_.end(), [&](const auto& each) { return each == self.of; });
    if (alone)
        return false;
    const std::uint64_t round = it.round;
    ++it.out;
    changed_.notify_all();
    changed_.wait(lock, [&] { return stopping_ || it.round != round || it.out == it.members; });
    if (stopping_)
        return false;
    if (it.round == round)
        found_dry(it);
    return true;
}

void crew::found_dry(unit& it)
{
    it.out = 0;
    ++it.round;
    it.loop->restart();
    it.work.emplace(it.loop->get_executor());
    it.idle = true;
    if (all_idle() && !standing_)
        standing_.emplace(); // it is the drain that goes on now
    changed_.notify_all();
}

// A member of a loop that had been idle ran one handler.
void crew::count_in_drain(member& self)
{
    if (self.probes > 0)
    {
        --self.probes;
        return;
    }
    ++activity_;
    standing_.reset();
    self.of->idle = false;
    self.of->work.reset();
}

bool crew::all_idle() const
{
    return std::all_of(units_.begin(), units_.end(), [](const auto& each) { return each->idle; });
}

void crew::probe_all()
{
    for (const auto& each : units_)
    {
        each->idle = false;
        asio::post(*each->loop, [keep = shared_from_this(), each] {
            const std::lock_guard lock(keep->mutex_);
            for (const auto& one : keep->members_)
            {
                if (one->of == each && one->id == std::this_thread::get_id())
                    ++one->probes;
            }
            each->work.reset();
        });
    }
}

bool crew::wait_for_quiet(lock_type& lock, time_point at)
{
    const auto idle = [this] { return stopping_ || all_idle(); };
    for (;;)
    {
        if (!wait_until(changed_, lock, at, idle) || stopping_)
            return false;
        const std::uint64_t activity = activity_;
        probe_all();
        if (!wait_until(changed_, lock, at, idle) || stopping_)
            return false;
        if (activity == activity_)
            return true;
    }
}

drain_report crew::drain(std::chrono::nanoseconds limit)
{
    const auto begin = loop_clock::now();
    // A limit that overflows the clock means none; a year is long enough to be that.
    const auto at = begin + std::min<std::chrono::nanoseconds>(limit, std::chrono::hours(8760));
    drain_report report;
    lock_type lock(mutex_);
    ++stops_;
    changed_.notify_all();
    draining_ = true;
    const auto units = units_;
    const auto members = members_;
    for (const auto& each : units)
    {
        each->idle = false;
        each->out = 0;
        each->work.reset();
    }
    std::exception_ptr failure;
    try
    {
        report.complete = wait_for_quiet(lock, at);
    }
    catch (...) // no memory for a probe
    {
        failure = std::current_exception();
    }
    standing_.reset();
    for (const auto& each : units)
    {
        drain_report::loop entry;
        entry.name = each->record->describe();
        entry.busy = (each->members > 0 && !each->idle) ||
                     (each->record->is_stopped_by_user() && has_work(*each->loop));
        report.complete = report.complete && !entry.busy;
        entry.load = each->record->load();
        report.loops.push_back(std::move(entry));
    }
    if (!members_.empty())
        stop_locked();
    changed_.wait(lock, [&] {
        return std::all_of(members.begin(), members.end(), [](const auto& e) { return e->ended; });
    });
    forget_ended();
    lock.unlock();
    report.elapsed = loop_clock::now() - begin;
    if (failure)
        std::rethrow_exception(failure);
    return report;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
