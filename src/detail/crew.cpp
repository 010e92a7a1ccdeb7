// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/crew.hpp"

#include <loops/error.hpp>

#include "detail/loop_record.hpp"
#include "detail/run_scope.hpp"
#include "detail/thread_state.hpp"
#include "platform/system.hpp"

#include <algorithm>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// Notes for the calling thread that it is a member.
class membership
{
public:
    membership(const crew& of, const asio::io_context& loop)
        : note_{&of, &loop, thread_state::of_this_thread().crews}
    {
        thread_state::of_this_thread().crews = &note_;
    }
    membership(const membership&) = delete;
    membership& operator=(const membership&) = delete;
    ~membership() { thread_state::of_this_thread().crews = note_.outer; }

private:
    crew_membership note_;
};

} // namespace

crew::crew(exception_sink sink) : sink_(std::move(sink)), generation_(fork_generation()) {}

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

std::shared_ptr<crew::member> crew::add_member(asio::io_context& loop)
{
    auto made = std::make_shared<member>();
    made->of = unit_of(loop);
    made->requested_stops = made->of->record->requested_stops();
    members_.push_back(made);
    if (made->of->members++ == 0)
        made->of->work.emplace(loop.get_executor());
    return made;
}

void crew::start(asio::io_context& loop, const crew_thread& how, std::uint64_t since)
{
    lock_type lock(mutex_);
    if (stops_ == since || closed_)
        start_locked(lock, loop, how);
}

void crew::keep_running(asio::io_context& loop, const crew_thread& how)
{
    lock_type lock(mutex_);
    settle_locked(lock);
    posts_.push_back({&loop, how});
    try
    {
        start_locked(lock, loop, how);
    }
    catch (...)
    {
        if (!lock.owns_lock())
            lock.lock();
        posts_.erase(std::remove_if(posts_.begin(), posts_.end(),
                         [&](const post& each) { return each.loop == &loop; }),
            posts_.end());
        throw;
    }
}

void crew::restart()
{
    lock_type lock(mutex_);
    settle_locked(lock);
    const std::uint64_t since = stops_;
    const auto vacant = [this](const post& each) {
        return std::none_of(members_.begin(), members_.end(),
            [&](const auto& one) { return !one->ended && one->of->loop == each.loop; });
    };
    while (stops_ == since)
    {
        const auto found = std::find_if(posts_.begin(), posts_.end(), vacant);
        if (found == posts_.end())
            return;
        const post next = *found;
        start_locked(lock, *next.loop, next.how);
    }
}

// Where it throws, the lock is open.
void crew::start_locked(lock_type& lock, asio::io_context& loop, const crew_thread& how)
{
    if (closed_)
    {
        lock.unlock();
        // Not a word of the loop: whoever closed the policy may have destroyed it.
        throw_error(error::policy_closed, "starting thread '" + how.name + "'");
    }
    const auto self = add_member(loop);
    self->own_thread = true;
    self->on_idle = how.on_idle;
    self->spin = how.spin;
    try
    {
        self->thread = platform::start_thread([keep = shared_from_this(), self, how] {
            const membership note(*keep, *self->of->loop);
            keep->body(self, how);
        });
        changed_.wait(lock, [&] { return self->started || self->ended; });
    }
    catch (...)
    {
        self->failure = std::current_exception();
        leave(*self);
    }
    if (!self->failure)
        return;
    members_.remove(self);
    forget_ended();
    lock.unlock();
    if (self->thread.joinable())
        self->thread.join();
    std::rethrow_exception(self->failure);
}

void crew::body(const std::shared_ptr<member>& self, const crew_thread& how)
{
    try
    {
        platform::name_thread(how.name);
        if (how.cpu)
            platform::pin_thread(*how.cpu);
        const run_scope scope(*self->of->loop, policy_hold::none);
        {
            const std::lock_guard lock(mutex_);
            self->id = std::this_thread::get_id();
            if (!stopping_) // which resume() might undo, for the loop's other members too
                scope.record().resume();
        }
        if (how.on_start)
            how.on_start();
        {
            const std::lock_guard lock(mutex_);
            self->started = true;
            changed_.notify_all();
        }
        run(*self);
        if (how.on_stop)
            how.on_stop();
    }
    catch (...)
    {
        if (!self->started)
            self->failure = std::current_exception();
        else
            excepted(std::current_exception());
    }
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
    if ((stopping_ || draining_) && !self.of->record->is_stopped_by_user())
        self.of->loop->restart();
    units_.erase(std::remove(units_.begin(), units_.end(), self.of), units_.end());
}

void crew::run_here(asio::io_context& loop, std::uint64_t since)
{
    const auto keep = shared_from_this(); // a handler may drop the policy
    settle();
    {
        const membership note(*this, loop);
        const run_scope scope(loop);
        std::shared_ptr<member> self;
        {
            const std::lock_guard lock(mutex_);
            if (stops_ != since)
                return;
            scope.record().resume();
            self = add_member(loop);
            self->id = std::this_thread::get_id();
            self->started = true;
        }
        run(*self);
        const std::lock_guard lock(mutex_);
        leave(*self);
    }
    {
        const std::lock_guard lock(mutex_);
        forget_ended();
    }
    if (const auto failure = take_exception())
        std::rethrow_exception(failure);
}

void crew::run(member& self)
{
    // Between two runs of the loop, virtual time stands.
    std::optional<virtual_run> between;
    if (auto time = self.of->record->time())
        between.emplace(std::move(time));
    run_mode mode = run_mode::all;
    for (;;)
    {
        std::size_t ran = 0;
        bool more = mode == run_mode::one;
        try
        {
            ran = drive(*self.of->record, mode, std::nullopt, self.spin);
        }
        catch (...)
        {
            const run_frame* const run = thread_state::of_this_thread().run;
            if (run != nullptr && run->refused)
                return fail(std::current_exception()); // and no handler's: it would be so again
            if (!excepted(std::current_exception()))
                return;
            ran = 1;
            more = true;
        }
        lock_type lock(mutex_);
        if (stopping_ || self.of->removed)
            return;
        if (mode == run_mode::one && ran > 0)
            count_in_drain(self);
        if (more && ran > 0)
            continue;
        // The loop was stopped, or is out of work.
        if (draining_)
        {
            mode = run_mode::one;
            if (self.own_thread && undo_requested_stop(lock, self))
            {
                if (stopping_ || self.of->removed)
                    return;
                continue;
            }
            if (!stays_in_drain(lock, self))
                return;
        }
        else if (!goes_on(lock, self))
            return;
    }
}

bool crew::excepted(const std::exception_ptr& exception)
{
    std::exception_ptr kept = exception;
    try
    {
        if (sink_(exception))
            return true;
    }
    catch (...) // by what was to handle it
    {
        kept = std::current_exception();
    }
    fail(kept);
    return false;
}

void crew::fail(const std::exception_ptr& exception)
{
    const std::lock_guard lock(mutex_);
    if (!first_exception_)
        first_exception_ = exception;
    ++stops_;
    stop_locked();
}

void crew::stop_locked()
{
    stopping_ = true;
    for (const auto& each : units_)
    {
        each->work.reset();
        each->loop->stop();
    }
    changed_.notify_all();
}

void crew::stop()
{
    const std::lock_guard lock(mutex_);
    ++stops_;
    changed_.notify_all();
    forget_ended();
    if (!members_.empty())
        stop_locked();
}

void crew::close()
{
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
    }
    stop();
}

void crew::settle()
{
    lock_type lock(mutex_);
    settle_locked(lock);
}

void crew::settle_locked(lock_type& lock)
{
    while (stopping_ || draining_)
    {
        if (inside())
        {
            lock.unlock();
            throw_error(error::already_running, "starting a run on " + platform::describe_thread() +
                                                    ", which is in one that is being stopped");
        }
        changed_.wait(lock, [this] {
            return std::all_of(
                members_.begin(), members_.end(), [](const auto& each) { return each->ended; });
        });
        join_ended(lock);
    }
}

void crew::join_ended(lock_type& lock)
{
    std::vector<std::thread> going;
    for (const auto& each : members_)
    {
        if (each->ended && each->thread.joinable())
            going.push_back(std::move(each->thread));
    }
    lock.unlock();
    for (std::thread& each : going)
        each.join();
    lock.lock();
    forget_ended();
}

// Drops members whose run is over and that nobody has to join; with the last of them, the state of
// the stop or drain that ended them.
void crew::forget_ended()
{
    members_.remove_if([](const auto& each) { return each->ended && !each->thread.joinable(); });
    if (!members_.empty())
        return;
    stopping_ = draining_ = false;
    changed_.notify_all();
}

void crew::remove(asio::io_context& loop) noexcept
{
    if (is_inherited())
        return;
    lock_type lock(mutex_);
    posts_.erase(std::remove_if(posts_.begin(), posts_.end(),
                     [&](const post& each) { return each.loop == &loop; }),
        posts_.end());
    std::vector<std::thread> going;
    for (const auto& each : members_)
    {
        if (each->of->loop != &loop)
            continue;
        if (each->id == std::this_thread::get_id())
            std::terminate();
        each->of->work.reset();
        each->of->removed = true;
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
    forget_ended();
}

void crew::join_quietly() noexcept
{
    if (is_inherited())
        return;
    lock_type lock(mutex_);
    while (!members_.empty())
    {
        const auto each = members_.front();
        changed_.wait(lock, [&] { return each->ended; });
        join_ended(lock);
        // Where another thread joins it, that one drops it.
        changed_.wait(lock, [&] {
            return members_.empty() || members_.front() != each || each->thread.joinable();
        });
    }
}

void crew::join()
{
    join_quietly();
    if (const auto failure = take_exception())
        std::rethrow_exception(failure);
}

std::exception_ptr crew::take_exception() noexcept
{
    const std::lock_guard lock(mutex_);
    return std::exchange(first_exception_, nullptr);
}

bool crew::inside() const noexcept
{
    const crew_membership* each = thread_state::of_this_thread().crews;
    while (each != nullptr && each->of != this)
        each = each->outer;
    return each != nullptr && !is_inherited();
}

bool crew::inside(const asio::io_context& loop) const noexcept
{
    const crew_membership* each = thread_state::of_this_thread().crews;
    while (each != nullptr && (each->of != this || each->loop != &loop))
        each = each->outer;
    return each != nullptr && !is_inherited();
}

std::vector<std::shared_ptr<loop_record>> crew::loops() const
{
    std::vector<std::shared_ptr<loop_record>> all;
    if (is_inherited())
        return all;
    const std::lock_guard lock(mutex_);
    for (const auto& each : units_)
        all.push_back(each->record);
    return all;
}

bool crew::busy() const
{
    if (is_inherited())
        return false;
    const std::lock_guard lock(mutex_);
    return std::any_of(
        members_.begin(), members_.end(), [](const auto& each) { return !each->ended; });
}

std::size_t crew::members_in(const asio::io_context& loop) const
{
    if (is_inherited())
        return 0;
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(members_.begin(), members_.end(),
        [&](const auto& each) { return !each->ended && each->of->loop == &loop; }));
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
