// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/child_waits.hpp"

#include "detail/background_loop.hpp"
#include "detail/delivery.hpp"
#include "detail/fork.hpp"
#include "detail/log.hpp"
#include "detail/reaper.hpp"
#include "detail/wait_service.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// Null where the system refuses what a service needs.
wait_service* any_service_if_possible() noexcept
{
    try
    {
        return &any_service();
    }
    catch (...)
    {
        return nullptr;
    }
}

// What a cancellation slot holds: a number, so that nothing needs to be cleared, and a late signal
// meets nothing.
struct cancel_wait
{
    std::uint64_t id;

    void operator()(asio::cancellation_type type) const
    {
        if (type == asio::cancellation_type::none || cancel(nullptr))
            return;
        if (wait_service* const found = any_service_if_possible()) // with no lock held
            cancel(found);
    }

    // False where the wait is kept by a detached watcher: whoever cancels is waiting for the end,
    // and there is to be a loop that delivers it.
    bool cancel(wait_service* stand_in) const
    {
        condemned_waits homeless;
        child_registry& registry = child_registry::instance();
        const std::lock_guard lock(registry.mutex);
        child_wait* const wait = registry.find_wait(id);
        if (wait == nullptr)
            return true;
        const bool pending = wait->stage == wait_stage::pending;
        if (!pending && (wait->stage != wait_stage::ended || wait->service != nullptr))
            return true; // its end is on its way
        if (wait->service == nullptr && stand_in == nullptr)
            return false;
        if (pending)
            registry.end(*wait, asio::error::operation_aborted);
        if (wait->service == nullptr && stand_in->is_shut())
            homeless.add(*wait);
        else if (wait->service == nullptr)
            registry.move(*wait, stand_in);
        return true;
    }
};

// Without a service: that needs no descriptor.
void complete_in_background(ended_wait end) noexcept
{
    try
    {
        asio::post(
            background_loop(), [end = std::move(end)]() mutable { std::move(end).complete(); });
    }
    catch (...)
    {
        log("a child watcher was closed with a wait kept, which was destroyed uncalled: there is "
            "no loop and no thread to deliver it");
    }
}

constexpr std::size_t most_unclaimed = 1024;

constexpr const char* no_signal =
    "SIGCHLD cannot be taken for want of a thread, a descriptor or memory: the child of a wait is "
    "looked at instead";

} // namespace

child_waits::child_waits(watcher_kind kind)
    : registry_(child_registry::instance()),
      kind_(std::move(kind)),
      generation_(fork_generation()),
      detached_(kind_.needs_signal())
{
    const std::lock_guard lock(registry_.mutex);
    registry_.add_watcher();
}

child_waits::~child_waits()
{
    close();
}

void child_waits::log_kept_back(pid_type pid) const noexcept
{
    try
    {
        log("a wait for child " + std::to_string(pid) + " was given to a " + kind_.name +
            " watcher that is not attached, and is kept until it is");
    }
    catch (const std::bad_alloc&)
    {
        log("a wait was given to a watcher that is not attached, and is kept until it is");
    }
}

void child_waits::take_signal()
{
    if (kind_.needs_signal() && !in_reaper.is_linked())
        reaper::instance().add_user(*this);
}

// Without it the waits are looked at by timers.
bool child_waits::take_signal_if_possible() noexcept
{
    try
    {
        take_signal();
        return true;
    }
    catch (...)
    {
        return false;
    }
}

error_code child_waits::why_unusable() const noexcept
{
    if (generation_ != fork_generation())
        return error::forked;
    return closed_ ? make_error_code(error::watcher_closed) : error_code();
}

bool child_waits::has_no_loop() const
{
    const std::lock_guard lock(registry_.mutex);
    return attached_ == nullptr && !detached_;
}

// For handlers without an executor, while the watcher was never attached. With no lock held.
wait_service* child_waits::stand_in(const destination& to, error_code& ec) const
{
    if (to.executor || !has_no_loop())
        return nullptr;
    if (wait_service* const found = existing_service())
        return found;
    ec = error::no_running_event_loop;
    return &wait_service::of_background();
}

child_waits::place child_waits::find_place(
    const destination& to, wait_service* stand_in, const error_code& ec) const noexcept
{
    place at;
    if (to.executor)
        at.service = to.service;
    else if (attached_ != nullptr)
        at.service = attached_;
    else if (!detached_)
    {
        at.service = stand_in;
        at.ec = ec;
    }
    at.shut = to.shut || (at.service != nullptr && at.service->is_shut());
    at.kept_back = at.service == nullptr && !at.shut;
    return at;
}

// With the mutex held. From here on the wait ends by itself, whatever it meets.
void child_waits::enroll(std::uint64_t id, pid_type pid, ended_wait& fresh, const destination& to,
    const place& at, bool is_handler, bool is_state)
{
    child_wait& wait = registry_.add_wait(id, pid, is_handler, fresh);
    wait.is_state = is_state;
    wait.owner = this;
    wait.has_executor = static_cast<bool>(to.executor);
    child_registry::answer answer{at.ec};
    try
    {
        if (!answer.ec)
            answer = registry_.tie(wait, kind_.how);
    }
    catch (...)
    {
        registry_.take(wait).swap(fresh);
        throw;
    }
    waits_.push_back(wait);
    if (is_handler && answer.ec == error::not_a_child)
        answer.kept = exit_of_replaced(id, pid);
    if (answer.kept == nullptr && !answer.ec)
    {
        registry_.move(wait, at.service);
        return;
    }
    wait.service = at.service;
    if (answer.kept != nullptr)
        registry_.end(wait, *answer.kept);
    else
        registry_.end(wait, answer.ec);
}

// That of a handler whose completion is on its way to where it will not be wanted any more. Its
// holder is the caller.
child_record* child_waits::exit_of_replaced(std::uint64_t id, pid_type pid) noexcept
{
    child_record* exit = nullptr;
    registry_.each_added(pid, [&](child_wait& wait) {
        if (wait.owner == this && wait.id < id && wait.has_exit())
            exit = wait.child;
    });
    if (exit != nullptr)
        ++exit->holders;
    return exit;
}

void child_waits::start(pid_type pid, child_watcher::wait_handler handler, bool is_state)
{
    const destination to(handler);
    error_code ec;
    wait_service* const other = stand_in(to, ec);
    const std::uint64_t id = registry_.next_id();
    // Before the wait can end: the slot goes with the handler.
    if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
        slot.assign(cancel_wait{id});
    ended_wait fresh{std::move(handler), to.work(), {}, {}};
    error_code unusable;
    place at;
    bool has_signal = true;
    {
        const std::lock_guard lock(registry_.mutex);
        at = find_place(to, other, ec);
        if (is_state && !kind_.sees_states)
            at.ec = make_error_code(boost::system::errc::operation_not_supported);
        unusable = why_unusable();
        if (!unusable && at.service != nullptr && !at.service->is_ours())
            unusable = error::forked;
        has_signal = unusable || take_signal_if_possible();
        if (!unusable && !at.shut) // else destroyed with its loop, as Asio's operations are
            enroll(id, pid, fresh, to, at, false, is_state);
    }
    if (unusable)
        deliver(std::move(fresh.handler), unusable);
    else if (at.kept_back)
        log_kept_back(pid);
    if (!has_signal)
        log(no_signal);
}

error_code child_waits::add(pid_type pid, std::uint64_t id, child_watcher::wait_handler handler)
{
    const destination to(handler);
    error_code ec;
    wait_service* const other = stand_in(to, ec);
    ended_wait fresh{std::move(handler), to.work(), {}, {}};
    condemned_waits replaced;
    place at;
    bool has_signal = true;
    {
        const std::lock_guard lock(registry_.mutex);
        at = find_place(to, other, ec);
        if (const error_code unusable = why_unusable())
            return unusable;
        if (at.shut)
            return error::loop_closed;
        if (at.service != nullptr && !at.service->is_ours())
            return error::forked;
        bool late = false;
        registry_.each_added(
            pid, [&](child_wait& wait) { late |= wait.owner == this && wait.id > id; });
        if (late)
            return {};
        has_signal = take_signal_if_possible();
        enroll(id, pid, fresh, to, at, true, false);
        registry_.each_added(pid, [&](child_wait& wait) {
            if (wait.owner == this && wait.id < id)
                replaced.add(wait);
        });
    }
    if (at.kept_back)
        log_kept_back(pid);
    if (!has_signal)
        log(no_signal);
    return {};
}

void child_waits::remove(std::uint64_t id)
{
    ended_wait removed; // destroyed after the lock is gone
    const std::lock_guard lock(registry_.mutex);
    if (child_wait* const wait = registry_.find_wait(id))
        registry_.withdraw(*wait).swap(removed);
}

std::size_t child_waits::attach(asio::io_context* loop, error_code& ec)
{
    wait_service* const to = loop != nullptr ? wait_service::of(*loop) : nullptr;
    std::size_t kept_back = 0;
    const std::lock_guard lock(registry_.mutex);
    ec = why_unusable();
    if (!ec && loop != nullptr && (to == nullptr || to->is_shut()))
        ec = error::loop_closed;
    if (!ec && to != nullptr && !to->is_ours())
        ec = error::forked;
    if (ec)
        return 0;
    try
    {
        if (to != nullptr)
            take_signal();
    }
    catch (const system_error& e)
    {
        ec = e.code();
        return 0;
    }
    catch (const std::logic_error&)
    {
        // Asio's: there is a signal set on a context for one thread only.
        ec = make_error_code(boost::system::errc::operation_not_supported);
        return 0;
    }
    in_attached.unlink();
    attached_ = to;
    detached_ = to == nullptr;
    if (to != nullptr)
        to->add_attached(*this);
    for (child_wait& wait : unclaimed_)
        registry_.move(wait, to);
    for (child_wait& wait : waits_)
    {
        if (wait.has_executor || wait.stage == wait_stage::handed_over)
            continue;
        registry_.move(wait, to);
        kept_back += to == nullptr ? 1U : 0U;
    }
    return kept_back;
}

bool child_waits::is_active() const
{
    const std::lock_guard lock(registry_.mutex);
    return !why_unusable() && !detached_;
}

void child_waits::close()
{
    condemned_waits doomed;
    std::unique_lock lock(registry_.mutex);
    if (std::exchange(closed_, true))
        return;
    const bool ours = generation_ == fork_generation();
    in_attached.unlink();
    attached_ = nullptr;
    if (in_reaper.is_linked())
    {
        if (ours)
            reaper::instance().remove_user(*this);
        else
            in_reaper.unlink();
    }
    // By nobody that could deliver it.
    const auto is_kept_back = [](const child_wait& wait) {
        return wait.stage != wait_stage::handed_over &&
               (wait.service == nullptr || wait.service->is_left_behind());
    };
    wait_service* stand_in = nullptr;
    if (std::any_of(waits_.begin(), waits_.end(), is_kept_back))
    {
        lock.unlock(); // it is closed: there are only fewer afterwards
        stand_in = any_service_if_possible();
        lock.lock();
    }
    while (!unclaimed_.empty())
        doomed.add(unclaimed_.front());
    while (!waits_.empty())
    {
        child_wait& wait = waits_.front();
        if (wait.stage == wait_stage::pending)
            registry_.end(wait, ours ? make_error_code(asio::error::operation_aborted)
                                     : make_error_code(error::forked));
        wait.in_owner.unlink();
        wait.owner = nullptr;
        if (!is_kept_back(wait))
            continue;
        if (stand_in != nullptr && !stand_in->is_shut())
        {
            registry_.move(wait, stand_in);
        }
        else if (ours)
        {
            ended_wait end = registry_.take(wait);
            lock.unlock();
            complete_in_background(std::move(end));
            lock.lock();
        }
        else
        {
            doomed.add(wait);
        }
    }
    registry_.remove_watcher();
    lock.unlock();
    if (ours)
        reaper::end_if_idle();
}

void child_waits::tell_unclaimed(const child_exit& exit) noexcept
{
    if (kind_.unclaimed == nullptr)
        return;
    child_record* held = nullptr;
    try
    {
        held = &registry_.hold(exit);
        ended_wait tell;
        child_watcher::wait_handler handler(
            [to = kind_.unclaimed](const error_code&, const child_exit& of) { (*to)(of); });
        tell.handler.swap(handler);
        child_wait& wait = registry_.add_wait(registry_.next_id(), exit.pid(), false, tell);
        wait.owner = this;
        wait.service = attached_;
        unclaimed_.push_back(wait);
        registry_.end(wait, *held);
    }
    catch (const std::bad_alloc&) // it is not told
    {
        if (held != nullptr)
            registry_.release(*held);
        return;
    }
    // Counted now and then: those that were told are gone from the list.
    if (++unclaimed_added_ < most_unclaimed)
        return;
    std::size_t left = unclaimed_.size();
    for (; left > most_unclaimed; --left)
        registry_.take(unclaimed_.front());
    unclaimed_added_ = left > 0 ? left - 1 : 0; // there cannot be too many before
}

void child_waits::lose_loop() noexcept
{
    in_attached.unlink();
    attached_ = nullptr;
    detached_ = true;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
