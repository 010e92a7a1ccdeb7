// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/crew.hpp"

#include <loops/error.hpp>

#include "detail/fork.hpp"
#include "detail/loop_record.hpp"
#include "detail/run_scope.hpp"
#include "platform/system.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

crew::crew(exception_sink sink) : sink_(std::move(sink)), generation_(fork_generation()) {}

// In a forked child the threads do not exist: they cannot be joined, and nothing that they hold
// may be touched. What stood for them is left where it is.
void crew::forget_inherited() const
{
    if (generation_ == fork_generation())
        return;
    generation_ = fork_generation();
    static auto& left = *new std::list<std::list<std::shared_ptr<member>>>;
    static auto& left_units = *new std::list<std::shared_ptr<unit>>;
    left.push_back(std::move(members_));
    members_.clear();
    for (auto& each : units_)
        left_units.push_back(std::move(each));
    units_.clear();
}

std::shared_ptr<crew::unit> crew::unit_of(asio::io_context& loop)
{
    const auto found = std::find_if(
        units_.begin(), units_.end(), [&](const auto& each) { return each->loop == &loop; });
    if (found != units_.end())
        return *found;
    auto made = std::make_shared<unit>();
    made->record = record_of(loop);
    made->loop = &loop;
    units_.push_back(made);
    return made;
}

void crew::start(asio::io_context& loop, const crew_thread& how)
{
    const auto self = std::make_shared<member>();
    std::unique_lock lock(mutex_);
    forget_inherited();
    self->of = unit_of(loop);
    if (self->of->members == 0)
        self->of->work.emplace(loop.get_executor());
    ++self->of->members;
    members_.push_back(self);
    try
    {
        self->thread = platform::start_thread(
            [keep = shared_from_this(), self, how] { keep->body(self, how); });
        changed_.wait(lock, [&] { return self->started || self->ended; });
    }
    catch (...)
    {
        self->failure = std::current_exception();
        leave(*self);
    }
    if (!self->failure)
        return;
    const std::exception_ptr failure = self->failure;
    forget_ended();
    lock.unlock();
    if (self->thread.joinable())
        self->thread.join();
    std::rethrow_exception(failure);
}

void crew::body(const std::shared_ptr<member>& self, const crew_thread& how)
{
    bool hooked = false;
    try
    {
        platform::name_thread(how.name);
        if (how.cpu)
            platform::pin_thread(*how.cpu);
        if (how.on_start)
            how.on_start();
        hooked = true;
        const run_scope scope(*self->of->loop, policy_hold::none);
        scope.record().resume();
        {
            const std::lock_guard lock(mutex_);
            self->id = std::this_thread::get_id();
            self->started = true;
        }
        changed_.notify_all();
        run(*self);
    }
    catch (...)
    {
        const std::lock_guard lock(mutex_);
        self->failure = std::current_exception();
    }
    if (hooked && how.on_stop)
        how.on_stop();
    const std::lock_guard lock(mutex_);
    leave(*self);
}

// The end of a member, with the mutex held. The last of a loop lets go of it.
void crew::leave(member& self)
{
    self.ended = true;
    changed_.notify_all();
    if (--self.of->members > 0)
        return;
    self.of->work.reset();
    if (stopping_ || draining_)
        self.of->loop->restart();
    units_.erase(std::remove(units_.begin(), units_.end(), self.of), units_.end());
}

std::uint64_t crew::stops() const
{
    const std::lock_guard lock(mutex_);
    return stops_;
}

void crew::run_here(asio::io_context& loop, std::uint64_t since)
{
    const auto self = std::make_shared<member>();
    {
        const run_scope scope(loop);
        scope.record().resume();
        {
            const std::lock_guard lock(mutex_);
            forget_inherited();
            forget_ended();
            if (stops_ != since)
                return;
            self->of = unit_of(loop);
            if (self->of->members++ == 0)
                self->of->work.emplace(loop.get_executor());
            self->id = std::this_thread::get_id();
            self->started = true;
            members_.push_back(self);
        }
        try
        {
            run(*self);
        }
        catch (...) // the policy's own exception handler threw
        {
            const std::lock_guard lock(mutex_);
            leave(*self);
            forget_ended();
            throw;
        }
        const std::lock_guard lock(mutex_);
        leave(*self);
    }
    std::unique_lock lock(mutex_);
    forget_ended();
    const auto failure = std::exchange(first_exception_, nullptr);
    lock.unlock();
    if (failure)
        std::rethrow_exception(failure);
}

void crew::run(member& self)
{
    while (run_dry(self) && run_reachable(self))
    {}
}

// Runs until the loop is stopped or out of work. True: out of work in a drain, where other loops
// may still send some.
bool crew::run_dry(member& self)
{
    std::size_t ran = 0;
    for (bool again = true; again;)
    {
        try
        {
            ran += drive(*self.of->record, run_mode::all);
            again = false;
        }
        catch (...)
        {
            ++ran;
            if (!excepted(std::current_exception()))
                return false;
        }
    }
    const std::lock_guard lock(mutex_);
    count(self, ran);
    const bool alone = std::all_of(
        units_.begin(), units_.end(), [&](const auto& each) { return each == self.of; });
    if (stopping_ || !draining_ || alone)
        return false;
    self.of->loop->restart();
    self.of->work.emplace(self.of->loop->get_executor());
    self.idle = true;
    changed_.notify_all();
    return true;
}

// Waits for one handler. True: it came, so there may be more.
bool crew::run_reachable(member& self)
{
    std::size_t ran = 1;
    bool go_on = true;
    try
    {
        ran = drive(*self.of->record, run_mode::one);
    }
    catch (...)
    {
        go_on = excepted(std::current_exception());
    }
    const std::lock_guard lock(mutex_);
    count(self, ran);
    self.idle = false;
    self.of->work.reset();
    return go_on && !stopping_;
}

// Adds handlers to what goes on in the crew, probes excepted.
void crew::count(member& self, std::uint64_t ran)
{
    activity_ += ran - std::exchange(self.probes, 0);
}

bool crew::excepted(const std::exception_ptr& exception)
{
    if (sink_(exception))
        return true;
    const std::lock_guard lock(mutex_);
    if (!first_exception_)
        first_exception_ = exception;
    stop_locked();
    return false;
}

void crew::stop_locked()
{
    stopping_ = true;
    for (const auto& each : units_)
    {
        each->work.reset();
        each->loop->stop();
    }
}

void crew::stop()
{
    const std::lock_guard lock(mutex_);
    forget_inherited();
    ++stops_;
    forget_ended();
    if (!members_.empty())
        stop_locked();
}

// Drops members whose run is over and that nobody has to join; with the last of them, the state of
// the stop or drain that ended them.
void crew::forget_ended()
{
    members_.remove_if([](const auto& each) {
        return each->ended && (!each->thread.joinable() || each->failure);
    });
    if (members_.empty())
        stopping_ = draining_ = false;
}

void crew::remove(asio::io_context& loop) noexcept
{
    std::unique_lock lock(mutex_);
    forget_inherited();
    std::vector<std::thread> going;
    for (const auto& each : members_)
    {
        if (each->of->loop != &loop)
            continue;
        if (each->id == std::this_thread::get_id())
            std::terminate();
        each->of->work.reset();
        loop.stop();
        going.push_back(std::move(each->thread));
    }
    changed_.wait(lock, [&] {
        return std::all_of(members_.begin(), members_.end(),
            [&](const auto& each) { return each->of->loop != &loop || each->ended; });
    });
    lock.unlock();
    for (std::thread& each : going)
    {
        if (each.joinable())
            each.join();
    }
    lock.lock();
    members_.remove_if([&](const auto& each) { return each->of->loop == &loop; });
    forget_ended();
    changed_.notify_all();
}

void crew::join_quietly() noexcept
{
    std::unique_lock lock(mutex_);
    forget_inherited();
    for (;;)
    {
        const auto found = std::find_if(members_.begin(), members_.end(),
            [](const auto& each) { return !each->ended || each->thread.joinable(); });
        if (found == members_.end())
            break;
        const auto each = *found;
        changed_.wait(lock, [&] { return each->ended; });
        std::thread thread = std::move(each->thread);
        lock.unlock();
        if (thread.joinable())
            thread.join();
        lock.lock();
    }
    forget_ended();
}

void crew::join()
{
    join_quietly();
    std::unique_lock lock(mutex_);
    const auto failure = std::exchange(first_exception_, nullptr);
    lock.unlock();
    if (failure)
        std::rethrow_exception(failure);
}

bool crew::inside() const
{
    const std::lock_guard lock(mutex_);
    forget_inherited();
    return std::any_of(members_.begin(), members_.end(),
        [](const auto& each) { return !each->ended && each->id == std::this_thread::get_id(); });
}

bool crew::busy() const
{
    const std::lock_guard lock(mutex_);
    forget_inherited();
    return std::any_of(
        members_.begin(), members_.end(), [](const auto& each) { return !each->ended; });
}

bool crew::all_idle() const
{
    return std::all_of(members_.begin(), members_.end(),
        [](const auto& each) { return each->ended || each->idle; });
}

// Loops that hand work to each other are out of work only together. Each thread that runs dry
// stays reachable and says so. When all have, a probe goes through every loop, behind whatever was
// sent before: if nothing but probes ran meanwhile, nothing is under way any more.
bool crew::wait_for_quiet(
    std::unique_lock<std::mutex>& lock, std::chrono::steady_clock::time_point at)
{
    for (;;)
    {
        const auto idle = [&] { return all_idle() || stopping_; };
        if (!changed_.wait_until(lock, at, idle))
            return false;
        const std::uint64_t activity = activity_;
        const std::uint64_t wave = ++wave_;
        for (const auto& each : members_)
        {
            if (each->ended)
                continue;
            asio::post(*each->of->loop, [this, each, wave] {
                const std::lock_guard inner(mutex_);
                each->wave = wave;
                ++each->probes;
            });
        }
        const auto probed = [&] {
            return stopping_ ||
                   std::all_of(members_.begin(), members_.end(), [&](const auto& each) {
                       return each->ended || (each->idle && each->wave == wave);
                   });
        };
        if (!changed_.wait_until(lock, at, probed))
            return false;
        if (stopping_ || activity == activity_)
            return !stopping_;
    }
}

drain_report crew::drain(std::chrono::nanoseconds limit)
{
    const auto begin = std::chrono::steady_clock::now();
    // A limit that overflows the clock means none; a year is long enough to be that.
    const auto at = begin + std::min<std::chrono::nanoseconds>(limit, std::chrono::hours(8760));
    drain_report report;
    std::unique_lock lock(mutex_);
    forget_inherited();
    ++stops_;
    draining_ = true;
    const auto units = units_;
    for (const auto& each : units)
        each->work.reset();
    report.complete = wait_for_quiet(lock, at);
    for (const auto& each : units)
    {
        drain_report::loop entry;
        entry.name = each->record->describe();
        entry.busy = std::any_of(members_.begin(), members_.end(),
            [&](const auto& one) { return one->of == each && !one->ended && !one->idle; });
        entry.load = each->record->load();
        report.loops.push_back(std::move(entry));
    }
    if (!members_.empty())
        stop_locked();
    changed_.wait(lock, [&] {
        return std::all_of(
            members_.begin(), members_.end(), [](const auto& e) { return e->ended; });
    });
    forget_ended();
    report.elapsed = std::chrono::steady_clock::now() - begin;
    return report;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
