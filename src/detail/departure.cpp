// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/departure.hpp"

#include "detail/crew.hpp"
#include "detail/loop_record.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <mutex>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// How long a loop that has left is run at least, and how often one is looked at that is not empty. Who was given
// the loop before it left gives it work meanwhile, or holds a lease.
constexpr std::chrono::seconds patience(1);

} // namespace

void departure::begin(event_loop& loop, const std::shared_ptr<crew>& threads)
{
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(begun_, true))
            return;
    }
    look_later(loop, threads);
}

bool departure::take_back()
{
    const std::lock_guard lock(mutex_);
    begun_ = false;
    return !std::exchange(over_, false);
}

bool departure::is_over() const
{
    const std::lock_guard lock(mutex_);
    return over_;
}

bool departure::ends(event_loop& loop, const std::weak_ptr<crew>& threads) noexcept
{
    const auto record = record_of(loop);
    const std::lock_guard lock(mutex_);
    if (!begun_)
        return false;
    if (!has_work(loop) && record->leases.load(std::memory_order_acquire) == 0 &&
        record->tasks == 0)
        return over_ = true;
    try
    {
        look_later(loop, threads);
    }
    catch (...) // no memory: the thread stays
    {}
    return false;
}

// By Asio's timer: virtual time is not to jump from one look to the next.
void departure::look_later(event_loop& loop, const std::weak_ptr<crew>& threads)
{
    const auto timer = std::make_shared<asio::steady_timer>(loop, patience);
    timer->async_wait([timer, threads, &loop](const error_code&) {
        if (const auto all = threads.lock())
            all->let_idle(loop);
    });
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
