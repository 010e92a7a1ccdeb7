// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/wait_service.hpp"

#include "detail/background_loop.hpp"
#include "detail/fork.hpp"
#include "detail/loop_record.hpp"
#include "platform/linux/pidfd.hpp"
#include "platform/posix/descriptor.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// How many exits one turn takes before the loop's other handlers have theirs.
constexpr std::size_t batch = 64;

// How many children one turn looks at.
constexpr std::size_t most_looks = 128;

} // namespace

asio::execution_context::id wait_service::id;

wait_service* wait_service::of(asio::io_context& loop)
{
    auto& context = static_cast<asio::execution_context&>(loop);
    if (!asio::has_service<wait_service>(context))
    {
        // One made from here on would not be shut down.
        const auto record = known_record_of(loop);
        if (record != nullptr && record->is_closed())
            return nullptr;
    }
    return &asio::use_service<wait_service>(context);
}

wait_service& wait_service::of_background()
{
    auto& service =
        asio::use_service<wait_service>(static_cast<asio::execution_context&>(background_loop()));
    service.is_background_ = true;
    return service;
}

std::size_t wait_service::pending_on(asio::io_context& loop)
{
    auto& context = static_cast<asio::execution_context&>(loop);
    if (!asio::has_service<wait_service>(context))
        return 0;
    const wait_service& here = asio::use_service<wait_service>(context);
    const std::lock_guard lock(here.registry_.mutex);
    std::size_t count = 0;
    for (const watch_list* const list : {&here.by_pidfd_, &here.by_look_, &here.by_reaper_})
        count = std::accumulate(list->begin(), list->end(), count,
            [](std::size_t sum, const child_watch& each) { return sum + each.waits; });
    return count;
}

wait_service::wait_service(asio::execution_context& owner)
    : service(owner),
      registry_(child_registry::instance()),
      executor_(static_cast<asio::io_context&>(owner).get_executor()),
      // Here already, so that Asio's reactor is older than this service and survives it.
      epoll_(executor_),
      look_timer_(executor_),
      generation_(fork_generation())
{}

// Of two that are made at a time for one loop, Asio destroys one unused and under a lock of its own:
// nothing may be locked here.
wait_service::~wait_service() = default;

bool wait_service::is_ours() const noexcept
{
    return generation_ == fork_generation();
}

error_code wait_service::open()
{
    error_code ec;
    if (epoll_.is_open())
        return ec;
    registry_.add_service(*this);
    const int fd = platform::make_epoll(ec);
    try
    {
        if (!ec)
            epoll_.assign(fd, ec);
    }
    catch (...)
    {
        platform::close_descriptor(fd);
        registry_.remove_service(*this);
        throw;
    }
    if (ec)
    {
        platform::close_descriptor(fd);
        registry_.remove_service(*this);
    }
    return ec;
}

error_code wait_service::watch_by_pidfd(child_watch& it)
{
    if (const error_code ec = open())
        return ec;
    error_code ec;
    platform::epoll_add(
        epoll_.native_handle(), it.child->pidfd, child_registry::epoll_id(*it.child), ec);
    if (ec)
        return ec;
    if (!armed_ && !reaping_)
    {
        try
        {
            arm();
        }
        catch (...)
        {
            platform::epoll_remove(epoll_.native_handle(), it.child->pidfd);
            throw;
        }
    }
    it.how = watching::by_pidfd;
    by_pidfd_.push_back(it);
    return ec;
}

void wait_service::watch_by_reaper(child_watch& it)
{
    if (!work_)
        work_.emplace(executor_);
    by_reaper_.push_back(it);
}

void wait_service::watch_by_look(child_watch& it, const look_bounds& bounds)
{
    look_soon(bounds);
    it.how = watching::by_look;
    by_look_.push_back(it);
}

void wait_service::unwatch(child_watch& it) noexcept
{
    it.in_service.unlink();
    // In a forked child that did not tell the loop, the epoll is the parent's too.
    if (it.how == watching::by_pidfd && is_ours())
        platform::epoll_remove(epoll_.native_handle(), it.child->pidfd);
    if (by_pidfd_.empty() && armed_)
        disarm();
    if (by_look_.empty() && looking_)
        stop_looking();
    // Not before what is delivered now is on its way: the loop would end without it.
    if (by_reaper_.empty() && work_ && is_ours() && !shut_)
        wake();
}

void wait_service::hurry(const look_bounds& bounds) noexcept
{
    try
    {
        look_soon(bounds);
    }
    catch (...) // the next look is as late as it was
    {}
}

// There is a look within the shortest interval.
void wait_service::look_soon(const look_bounds& bounds)
{
    const clock::time_point soon = clock::now() + bounds.shortest;
    if (!looking_ || look_timer_.expiry() > soon)
        arm_look(soon);
    interval_ = bounds.shortest;
}

void wait_service::arm_look(clock::time_point at)
{
    const std::uint64_t turn = look_turn_ + 1;
    look_timer_.expires_at(at); // what was waiting for it is told so, and sees that it was given up
    look_timer_.async_wait(asio::bind_allocator(operation_allocator<void>(look_memory_),
        [this, turn](const error_code& ec) { on_look(turn, ec); }));
    look_turn_ = turn;
    looking_ = true;
}

void wait_service::stop_looking() noexcept
{
    ++look_turn_;
    looking_ = false;
    try
    {
        if (is_ours())
            look_timer_.cancel();
    }
    catch (...) // it does not: Asio 1.81 has no form that says so, but one that is deprecated
    {}
}

// Some of those that this look has not come to yet. Whether any had ended.
bool wait_service::look_at_some() noexcept
{
    if (looks_left_ == 0)
    {
        looks_left_ = by_look_.size();
        found_ = false;
        const auto now = clock::now();
        is_thorough_ = now >= thorough_ + thorough_interval;
        if (is_thorough_)
            thorough_ = now;
    }
    const auto how = is_thorough_ ? child_registry::look::thorough : child_registry::look::quick;
    for (std::size_t looks = 0; looks < most_looks && looks_left_ > 0 && !by_look_.empty(); ++looks)
    {
        --looks_left_;
        child_watch& next = by_look_.front();
        rotate(by_look_);
        found_ |= registry_.look_at(*next.child, how);
    }
    if (by_look_.empty())
        looks_left_ = 0;
    if (looks_left_ == 0)
        registry_.look_at_states(this);
    return found_;
}

// The shortest of those that wait.
look_bounds wait_service::bounds_of_looks() noexcept
{
    look_bounds all{std::chrono::nanoseconds::max(), std::chrono::nanoseconds::max()};
    for (const child_watch& watch : by_look_)
    {
        for (const child_wait& wait : watch.child->waits())
        {
            if (wait.service != this)
                continue;
            all.shortest = std::min(all.shortest, wait.owner->bounds().shortest);
            all.longest = std::min(all.longest, wait.owner->bounds().longest);
        }
    }
    return all;
}

void wait_service::on_look(std::uint64_t turn, const error_code&)
{
    std::unique_lock<std::mutex> lock(registry_.mutex);
    if (turn != look_turn_ || shut_ || !is_ours())
        return;
    looking_ = false;
    delivering_ = true;
    const bool found = look_at_some();
    if (!by_look_.empty() && !looking_ && !shut_)
    {
        try
        {
            auto at = clock::now(); // the others have a turn
            if (looks_left_ == 0)
            {
                const look_bounds bounds = bounds_of_looks();
                interval_ = found ? bounds.shortest : std::min(interval_ * 2, bounds.longest);
                at += interval_;
            }
            arm_look(at);
        }
        catch (...)
        {
            end_all(by_look_, make_error_code(boost::system::errc::not_enough_memory));
        }
    }
    delivering_ = false;
    deliver_one(std::move(lock));
}

void wait_service::arm()
{
    const std::uint64_t turn = turn_ + 1;
    epoll_.async_wait(asio::posix::descriptor_base::wait_read,
        asio::bind_allocator(operation_allocator<void>(arm_memory_),
            [this, turn](const error_code& ec) { on_readable(turn, ec); }));
    turn_ = turn;
    armed_ = true;
}

void wait_service::disarm() noexcept
{
    ++turn_;
    armed_ = false;
    error_code ignored;
    if (is_ours())
        epoll_.cancel(ignored);
}

void wait_service::take_exits() noexcept
{
    std::array<std::uint64_t, batch> ids{};
    const std::size_t count = platform::epoll_take(epoll_.native_handle(), ids.data(), batch);
    for (std::size_t i = 0; i < count; ++i)
        registry_.look_at(ids[i]);
}

void wait_service::on_readable(std::uint64_t turn, const error_code& ec)
{
    std::unique_lock<std::mutex> lock(registry_.mutex);
    if (turn != turn_ || shut_ || !is_ours())
        return;
    armed_ = false;
    reaping_ = true;
    delivering_ = true;
    if (ec)
        end_all(by_pidfd_, ec);
    else
        take_exits();
    try
    {
        if (!by_pidfd_.empty())
            arm();
    }
    catch (...)
    {
        end_all(by_pidfd_, make_error_code(boost::system::errc::not_enough_memory));
    }
    delivering_ = false;
    reaping_ = false;
    deliver_one(std::move(lock));
}

void wait_service::push_ready(child_wait& wait) noexcept
{
    ready_.push_back(wait);
    // While a thread of this loop takes exits, it delivers right after; and what a forked child does
    // not tell the loop of would reach the parent's.
    if (!delivering_ && is_ours())
        wake();
}

// Has memory of its own: it cannot fail.
void wait_service::wake() noexcept
{
    if (std::exchange(woken_, true))
        return;
    asio::post(executor_, asio::bind_allocator(operation_allocator<void>(wake_memory_), [this] {
        std::unique_lock<std::mutex> lock(registry_.mutex);
        woken_ = false;
        if (by_reaper_.empty())
            work_.reset();
        deliver_one(std::move(lock));
    }));
}

// One at a time: the others are on their way before the handler runs, so that it holds none of
// them up where more threads run the loop, and takes none with it where it throws.
void wait_service::deliver_one(std::unique_lock<std::mutex> lock)
{
    if (ready_.empty())
        return;
    ended_wait end = registry_.hand_over(ready_.front());
    if (!ready_.empty())
        wake();
    lock.unlock();
    std::move(end).complete();
}

// Calls `function` with each wait that is watched by one of these; it ends or removes the wait.
template <class Function>
void wait_service::each_pending(watch_list& list, Function function)
{
    while (!list.empty())
    {
        child_watch& watch = list.front();
        auto next = watch.child->waits().begin();
        for (std::uint32_t left = watch.waits; left > 0;)
        {
            child_wait& wait = *next++;
            if (!wait.is_watched || wait.service != this || wait.owner->how() != watch.wanted)
                continue;
            --left;
            function(wait);
        }
    }
}

void wait_service::end_all(watch_list& list, const error_code& ec) noexcept
{
    each_pending(list, [&](child_wait& wait) { registry_.end(wait, ec); });
}

void wait_service::close_if_idle() noexcept
{
    if (!by_pidfd_.empty() || !epoll_.is_open() || shut_ || !is_ours())
        return;
    ++turn_;
    armed_ = false;
    error_code ignored;
    epoll_.close(ignored);
    registry_.remove_service(*this);
}

void wait_service::shutdown()
{
    condemned_waits doomed; // destroyed after the lock is gone
    const std::lock_guard lock(registry_.mutex);
    if (std::exchange(shut_, true))
        return;
    while (!attached_.empty())
        attached_.front().lose_loop();
    for (watch_list* const list : {&by_pidfd_, &by_look_, &by_reaper_})
        each_pending(*list, [&](child_wait& wait) { doomed.add(wait); });
    while (!ready_.empty())
        doomed.add(ready_.front());
    work_.reset();
    if (!epoll_.is_open())
        return;
    ++turn_;
    armed_ = false;
    registry_.remove_service(*this);
    // In a forked child that did not tell the loop, the reactor that Asio would take the epoll
    // from is the parent's, too.
    if (!is_ours())
        platform::replace_descriptor(epoll_.native_handle());
    error_code ignored;
    epoll_.close(ignored);
}

void wait_service::notify_fork(asio::execution_context::fork_event event)
{
    if (event != asio::execution_context::fork_child)
        return;
    const std::lock_guard lock(registry_.mutex);
    if (is_ours() || shut_)
        return;
    ++turn_;
    armed_ = false;
    if (epoll_.is_open())
    {
        // Not closed by Asio, whose reactor would keep what the parent has open, too.
        platform::close_descriptor(epoll_.release());
        registry_.remove_service(*this);
    }
    ++look_turn_;
    looking_ = false;
    reaping_ = false; // by a thread that is not here
    delivering_ = false;
    for (watch_list* const list : {&by_pidfd_, &by_look_, &by_reaper_})
        end_all(*list, error::forked);
    work_.reset();
    generation_ = fork_generation();
    if (!ready_.empty())
    {
        woken_ = false;
        wake();
    }
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
