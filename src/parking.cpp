// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/parking.hpp>

#include "detail/fork.hpp"
#include "detail/loop_record.hpp"
#include "detail/parking_gate.hpp"
#include "detail/thread_state.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

// A thread is parked in a handler of ours: outside of Asio, holding none of its mutexes, and not
// in its waits. One of these is posted for each run that is to be parked.
struct lot
{
    struct place
    {
        std::shared_ptr<detail::loop_record> record;
        std::size_t posted = 0;
        std::size_t taken = 0; // by runs, of which a thread may be in several
    };

    std::mutex mutex;
    std::condition_variable changed;
    std::vector<place> places;
    bool over = false;

    place& place_of(const std::shared_ptr<detail::loop_record>& record)
    {
        const auto found = std::find_if(
            places.begin(), places.end(), [&](const place& each) { return each.record == record; });
        return found != places.end() ? *found : places.emplace_back(place{record, 0, 0});
    }

    void park()
    {
        std::unique_lock<std::mutex> lock(mutex);
        if (over)
            return; // nobody was there to take it in time
        for (auto* run = detail::thread_state::of_this_thread().run; run != nullptr;
             run = run->outer)
            ++place_of(run->record).taken;
        changed.notify_all();
        changed.wait(lock, [this] { return over; });
    }
};

// The parking that is in force. Guarded by a mutex that no other is taken under.
struct gate
{
    std::mutex mutex;
    std::condition_variable changed;
    std::atomic<bool> closed{false};
    std::atomic<std::thread::id> by{std::thread::id()};
    unsigned unparked = 0; // threads that destroy loops, in the process of this fork generation
    unsigned generation = 0;

    bool others_destroy() const { return unparked > 0 && generation == detail::fork_generation(); }
};

gate*& present_gate()
{
    static gate* it = new gate;
    return it;
}

gate& the_gate()
{
    return *present_gate();
}

// For a forked child: in the parent's, threads may wait.
void renew_gate()
{
    present_gate() = new gate;
}

// How many runs of a loop this thread is in the middle of.
std::size_t runs_here(const detail::loop_record& record)
{
    std::size_t count = 0;
    for (auto* run = detail::thread_state::of_this_thread().run; run != nullptr; run = run->outer)
        count += run->record.get() == &record ? 1U : 0U;
    return count;
}

} // namespace

namespace detail {

bool is_parked_here() noexcept
{
    return the_gate().closed && the_gate().by != std::this_thread::get_id();
}

void wait_while_parked()
{
    std::unique_lock<std::mutex> lock(the_gate().mutex);
    the_gate().changed.wait(lock, [] { return !is_parked_here(); });
}

unparked::unparked()
{
    const std::lock_guard lock(the_gate().mutex);
    counted_ = !is_parked_here();
    if (!counted_)
        return;
    if (!the_gate().others_destroy())
    {
        the_gate().unparked = 0;
        the_gate().generation = fork_generation();
    }
    ++the_gate().unparked;
}

unparked::~unparked()
{
    if (!counted_)
        return;
    const std::lock_guard lock(the_gate().mutex);
    if (--the_gate().unparked == 0)
        the_gate().changed.notify_all();
}

} // namespace detail

struct parking::impl
{
    std::shared_ptr<lot> all = std::make_shared<lot>();
    unsigned generation = detail::fork_generation();

    // Posts as many more handlers as there are runs without one. True: every run is parked.
    bool fill()
    {
        bool full = true;
        for (const auto& record : detail::known_loops())
        {
            const std::size_t own = runs_here(*record);
            const std::size_t runners = record->runners();
            asio::io_context* const loop = record->context();
            if (loop == nullptr || runners <= own)
                continue;
            const std::lock_guard lock(all->mutex);
            lot::place& place = all->place_of(record);
            full = full && place.taken + own >= runners;
            for (; place.posted + own < runners; ++place.posted)
                asio::post(*loop, [lot = all] { lot->park(); });
        }
        return full;
    }
};

parking::parking() : impl_(std::make_unique<impl>())
{
    {
        std::unique_lock<std::mutex> lock(the_gate().mutex);
        the_gate().changed.wait(lock, [] { return !the_gate().closed; });
        the_gate().by = std::this_thread::get_id();
        the_gate().closed = true;
        the_gate().changed.wait(lock, [] { return !the_gate().others_destroy(); });
    }
    // Runs end, and tell nobody: hence the second look from time to time.
    while (!impl_->fill())
    {
        std::unique_lock<std::mutex> lock(impl_->all->mutex);
        impl_->all->changed.wait_for(lock, std::chrono::milliseconds(1));
    }
}

parking::~parking()
{
    if (impl_->generation != detail::fork_generation())
    {
        // The parked threads will not come back to take the handlers that they are in off the
        // loops' accounts. What they wait for cannot be destroyed.
        impl_->all->over = true;
        for (const lot::place& each : impl_->all->places)
        {
            for (std::size_t i = 0; i < each.taken; ++i)
            {
                if (asio::io_context* const loop = each.record->context())
                    loop->get_executor().on_work_finished();
            }
        }
        detail::leave_behind(impl_->all);
        renew_gate();
        return;
    }
    {
        const std::lock_guard lock(impl_->all->mutex);
        impl_->all->over = true;
    }
    impl_->all->changed.notify_all();
    {
        const std::lock_guard lock(the_gate().mutex);
        the_gate().closed = false;
    }
    the_gate().changed.notify_all();
}

} // namespace LOOPS_ABI
} // namespace loops
