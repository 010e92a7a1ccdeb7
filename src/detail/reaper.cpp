// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/reaper.hpp"

#include "detail/fork.hpp"
#include "detail/log.hpp"
#include "platform/linux/child.hpp"
#include "platform/system.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

using std::chrono::milliseconds;

// After what time all children are looked at where something was told that was no exit of ours, and how
// often where SIGCHLD does not reach us.
constexpr milliseconds when_told(100);
constexpr milliseconds without_signal(50);

// How often those are looked for whose status somebody else took, and of how many it is seen then whether
// their number is another child's by now.
constexpr milliseconds check_interval(thorough_interval);
constexpr std::size_t most_checked = 64;

// How often while a dead child of nobody's stands before ours.
constexpr milliseconds hidden_first(5);
constexpr milliseconds hidden_most(100);

// How many children are looked at before others have the books.
constexpr std::size_t most_looks = 128;

struct
{
    reaper* it = nullptr;
    unsigned generation = 0;
} present; // guarded by the registry's mutex; what a forked child inherited stays as it is

std::atomic<reaper*> of_signal{nullptr};

// A mutex that is free for a moment only goes to whoever had it.
void let_others_in(std::unique_lock<std::mutex>& lock) noexcept
{
    lock.unlock();
    std::this_thread::sleep_for(std::chrono::microseconds(20));
    lock.lock();
}

void end(std::thread thread) noexcept
{
    if (!thread.joinable())
        return;
    if (thread.get_id() == std::this_thread::get_id())
        thread.detach();
    else
        thread.join();
}

} // namespace

reaper& reaper::instance()
{
    if (present.it == nullptr || present.generation != fork_generation())
    {
        present.it = new reaper;
        present.generation = fork_generation();
    }
    return *present.it;
}

bool reaper::watch(child_watch& it) noexcept
{
    try
    {
        if (it.how == watching::by_signal && !signal_)
            return false;
        start_thread();
        if (it.how == watching::by_thread && waiter_ == waiter_state::absent)
            start_waiter();
    }
    catch (...)
    {
        return false;
    }
    it.is_new = true; // it may be dead already
    watches_.push_front(it);
    if (it.how == watching::by_thread)
    {
        ++by_thread_;
        if (!is_hidden_)
            let_waiter_go();
    }
    wake_.post();
    return true;
}

void reaper::unwatch(child_watch& it) noexcept
{
    it.in_reaper.unlink();
    if (it.how == watching::by_thread && it.child->generation == fork_generation())
        --by_thread_;
}

void reaper::add_user(child_waits& user)
{
    start_thread();
    if (!signal_)
    {
        of_signal = this;
        signal_.emplace(&on_signal);
        signal_reaches_us_ = true;
    }
    users_.push_back(user);
    told_ = true; // of who died before
    wake_.post();
}

void reaper::remove_user(child_waits& user) noexcept
{
    user.in_reaper.unlink();
    if (users_.empty())
        signal_.reset();
}

void reaper::on_signal()
{
    reaper& it = *of_signal.load();
    it.told_ = true;
    it.wake_.post();
}

bool reaper::reaps_everyone() const noexcept
{
    return std::any_of(users_.begin(), users_.end(),
        [](const child_waits& each) { return each.kind().reaps_everyone; });
}

void reaper::end_if_idle() noexcept
{
    std::thread thread;
    std::thread waiting;
    {
        const std::lock_guard lock(child_registry::instance().mutex);
        reaper* const it = present.generation == fork_generation() ? present.it : nullptr;
        if (it == nullptr || !it->is_idle())
            return;
        it->thread_.swap(thread);
        if (thread.joinable() && it->logging_run_ == it->run_)
            thread.detach(); // it is in code of the user's, who may hold what that wants
        ++it->run_;
        it->wake_.post();
        it->waiting_thread_.swap(waiting);
        if (it->waiter_ == waiter_state::parked)
        {
            ++it->waiter_run_;
            it->waiter_ = waiter_state::absent;
            it->go_on_->post();
        }
        else if (waiting.joinable() && it->waiter_ == waiter_state::waiting)
        {
            // It ends when the next child does, or goes on if it is wanted by then.
            waiting.detach();
        }
    }
    end(std::move(thread));
    end(std::move(waiting));
}

void reaper::start_thread()
{
    if (!thread_.joinable())
        thread_ = platform::start_thread([this, run = run_] { this->run(run); });
}

void reaper::start_waiter()
{
    if (waiting_thread_.joinable())
        waiting_thread_.join(); // it has ended
    waiter_ = waiter_state::waiting;
    try
    {
        go_on_ = std::make_shared<platform::semaphore>();
        waiting_thread_ = platform::start_thread(
            [this, run = waiter_run_, go_on = go_on_] { wait_for_children(run, *go_on); });
    }
    catch (...)
    {
        waiter_ = waiter_state::absent;
        throw;
    }
}

void reaper::let_waiter_go() noexcept
{
    if (waiter_ != waiter_state::parked)
        return;
    waiter_ = waiter_state::waiting;
    go_on_->post();
}

// What the waiting thread does. It leaves the children as they are, and tells the other one.
void reaper::wait_for_children(std::uint64_t run, platform::semaphore& go_on) noexcept
{
    platform::name_thread("loops-waiter");
    for (;;)
    {
        const bool childless = !platform::wait_for_any();
        {
            const std::lock_guard lock(registry_.mutex);
            if (by_thread_ == 0)
            {
                waiter_ = waiter_state::absent;
                return;
            }
            waiter_ = waiter_state::parked;
        }
        if (childless)
            childless_ = true;
        told_ = true;
        wake_.post();
        go_on.wait();
        const std::lock_guard lock(registry_.mutex);
        if (run != waiter_run_) // there may be another one by now
            return;
    }
}

void reaper::run(std::uint64_t run) noexcept
{
    platform::name_thread("loops-reaper");
    std::unique_lock<std::mutex> lock(registry_.mutex);
    while (run == run_)
    {
        const auto until = next_look();
        lock.unlock();
        if (until)
            wake_.wait_until(*until);
        else
            wake_.wait();
        while (wake_.try_wait()) // one look is for all of them
        {}
        lock.lock();
        if (run != run_)
            break;
        look(lock);
        if (const char* const message = signal_ ? signal_->take_message() : nullptr)
        {
            logging_run_ = run;
            lock.unlock();
            log(message);
            lock.lock();
            if (logging_run_ == run)
                logging_run_.reset();
        }
    }
    wake_.post(); // which was for the next one
}

// When all children are to be looked at, whatever is told; nothing where they need not be.
std::optional<reaper::clock::time_point> reaper::next_look_at_all() const noexcept
{
    std::optional<milliseconds> interval;
    if (signal_ && !signal_reaches_us_)
        interval = without_signal;
    if (is_hidden_ && by_thread_ > 0)
        interval = std::min(interval.value_or(hidden_most), hidden_interval_);
    if (!interval)
        return std::nullopt;
    return looked_at_all_ + *interval;
}

std::optional<reaper::clock::time_point> reaper::next_look() const noexcept
{
    if (watches_.empty() && !reaps_everyone())
        return std::nullopt;
    auto next = checked_ + check_interval;
    if (told_.load())
        next = std::min(next, looked_at_all_ + when_told);
    return std::min(next, next_look_at_all().value_or(next));
}

void reaper::look(std::unique_lock<std::mutex>& lock) noexcept
{
    if (signal_)
    {
        signal_->drain();
        signal_reaches_us_ = signal_->reaches_us();
    }
    look_at_new();
    const bool told = told_.exchange(false);
    const bool found = take_dead(lock);
    const auto now = clock::now();
    const auto next = next_look_at_all();
    // Without a child in the kernel, all that are registered are lost.
    const bool childless = childless_.exchange(false);
    if (childless || (is_hidden_ && told) || (next && now >= *next) ||
        (told && !found && !found_before_ && now >= looked_at_all_ + when_told))
    {
        look_at_all(lock);
        looked_at_all_ = now;
        hidden_interval_ = is_hidden_ ? std::min(hidden_interval_ * 2, hidden_most) : hidden_first;
    }
    else if (told && !found && !found_before_)
    {
        told_ = true; // all of them, a little later
    }
    if (now >= checked_ + check_interval)
    {
        checked_ = now;
        check(lock);
    }
    // What is told while its child is being taken already finds nothing: once, that is no surprise.
    found_before_ = found;
    registry_.look_at_states(nullptr);
    if (by_thread_ > 0 && !is_hidden_)
        let_waiter_go();
}

void reaper::look_at_new() noexcept
{
    while (!watches_.empty() && watches_.front().is_new)
    {
        child_watch& next = watches_.front();
        next.is_new = false;
        rotate(watches_);
        registry_.look_at(*next.child);
    }
}

// Of all children whoever is dead, until there is none left, or one that is not to be reaped.
bool reaper::take_dead(std::unique_lock<std::mutex>& lock) noexcept
{
    is_hidden_ = false;
    std::size_t found = 0;
    while (const auto pid = platform::any_dead_child())
    {
        child_record* const child = registry_.find_child(*pid);
        const bool taken = child != nullptr
                               ? registry_.look_at(*child, child_registry::look::at_dead)
                               : reaps_everyone() && reap_unclaimed(*pid);
        if (!taken)
        {
            is_hidden_ = true;
            break;
        }
        if (++found % most_looks == 0)
            let_others_in(lock);
    }
    return found > 0;
}

bool reaper::reap_unclaimed(pid_type pid) noexcept
{
    error_code ec;
    const auto exit = platform::reap_child({pid, -1}, ec);
    if (!exit)
        return ec == boost::system::errc::no_child_process; // somebody else was faster
    registry_.keep(*exit);
    for (child_waits& each : users_)
        each.tell_unclaimed(*exit);
    return true;
}

// Looks at each watched child for which `wanted`, and lets others have the books now and then.
template <class Function>
void reaper::look_at_each(std::unique_lock<std::mutex>& lock, Function wanted) noexcept
{
    std::size_t left = watches_.size();
    for (std::size_t count = 1; left > 0 && !watches_.empty(); --left, ++count)
    {
        child_watch& next = watches_.front();
        const bool is_new = std::exchange(next.is_new, false);
        rotate(watches_);
        if (is_new || wanted(*next.child))
            registry_.look_at(*next.child);
        if (count % most_looks == 0)
            let_others_in(lock);
    }
}

void reaper::look_at_all(std::unique_lock<std::mutex>& lock) noexcept
{
    look_at_each(lock, [](const child_record&) { return true; });
}

// Those whose status somebody took are not among the process's children any more: that is one list, where a
// look at each is a system call. Whoever is not on it is looked at.
void reaper::check(std::unique_lock<std::mutex>& lock) noexcept
{
    for (std::size_t left = std::min(most_checked, watches_.size()); left > 0; --left)
    {
        if (watches_.empty())
            return;
        child_watch& next = watches_.front();
        next.is_new = false;
        rotate(watches_);
        registry_.look_at(*next.child, child_registry::look::thorough);
    }
    if (watches_.size() <= most_checked)
        return; // that was all of them
    std::vector<pid_type> pids;
    lock.unlock();
    const bool listed = platform::list_children(pids);
    lock.lock();
    look_at_each(lock, [&](const child_record& child) {
        return !listed || is_hidden_ || !std::binary_search(pids.begin(), pids.end(), child.pid);
    });
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
