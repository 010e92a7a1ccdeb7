// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/pidfd_waits.hpp"

#include "detail/background_loop.hpp"
#include "detail/fork.hpp"
#include "detail/log.hpp"
#include "detail/wait_service.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <new>
#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// What a cancellation slot holds: a number, so that nothing needs to be cleared, and a late signal
// meets nothing.
struct cancel_wait
{
    std::uint64_t id;

    void operator()(asio::cancellation_type type) const
    {
        if (type != asio::cancellation_type::none && !cancel(nullptr))
            cancel(&any_service()); // found with no lock held
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
        log("a pidfd watcher was closed with a wait kept, which was destroyed uncalled: there is "
            "no "
            "loop and no thread to deliver it");
    }
}

void log_kept_back(pid_type pid) noexcept
{
    try
    {
        log("a wait for child " + std::to_string(pid) +
            " was given to a detached pidfd watcher, and is kept until that is attached");
    }
    catch (const std::bad_alloc&)
    {
        log("a wait was given to a detached pidfd watcher, and is kept until that is attached");
    }
}

} // namespace

pidfd_waits::pidfd_waits() : registry_(child_registry::instance()), generation_(fork_generation())
{
    const std::lock_guard lock(registry_.mutex);
    registry_.add_watcher();
}

pidfd_waits::~pidfd_waits()
{
    close();
}

error_code pidfd_waits::why_unusable() const noexcept
{
    if (generation_ != fork_generation())
        return error::forked;
    return closed_ ? make_error_code(error::watcher_closed) : error_code();
}

bool pidfd_waits::has_no_loop() const
{
    const std::lock_guard lock(registry_.mutex);
    return attached_ == nullptr && !detached_;
}

// For handlers without an executor, while the watcher was never attached. With no lock held.
wait_service* pidfd_waits::stand_in(const destination& to, error_code& ec) const
{
    if (to.executor || !has_no_loop())
        return nullptr;
    if (wait_service* const found = existing_service())
        return found;
    ec = error::no_running_event_loop;
    return &wait_service::of_background();
}

pidfd_waits::place pidfd_waits::find_place(
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
void pidfd_waits::enroll(std::uint64_t id, pid_type pid, ended_wait& fresh, const destination& to,
    const place& at, bool is_handler)
{
    child_wait& wait = registry_.add_wait(id, pid, is_handler);
    wait.owner = this;
    wait.has_executor = static_cast<bool>(to.executor);
    child_registry::answer answer{at.ec, std::nullopt};
    try
    {
        if (!answer.ec)
            answer = registry_.tie(wait);
    }
    catch (...)
    {
        registry_.take(wait);
        throw;
    }
    waits_.push_back(wait);
    wait.end.swap(fresh);
    if (is_handler && answer.ec == error::not_a_child)
        answer.kept = exit_of_replaced(id, pid);
    if (answer.kept)
        answer.ec.clear();
    if (!answer.ec && !answer.kept)
    {
        registry_.move(wait, at.service);
        return;
    }
    wait.service = at.service;
    registry_.end(wait, answer.ec, answer.kept.value_or(child_exit()));
}

// That of a handler whose completion is on its way to where it will not be wanted any more.
std::optional<child_exit> pidfd_waits::exit_of_replaced(std::uint64_t id, pid_type pid) noexcept
{
    std::optional<child_exit> exit;
    registry_.each_added(pid, [&](child_wait& wait) {
        if (wait.owner == this && wait.id < id && wait.has_exit())
            exit = wait.end.exit;
    });
    return exit;
}

void pidfd_waits::start(pid_type pid, child_watcher::wait_handler handler)
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
    {
        const std::lock_guard lock(registry_.mutex);
        at = find_place(to, other, ec);
        unusable = why_unusable();
        if (!unusable && at.service != nullptr && !at.service->is_ours())
            unusable = error::forked;
        if (!unusable && !at.shut) // else destroyed with its loop, as Asio's operations are
            enroll(id, pid, fresh, to, at, false);
    }
    if (unusable)
        deliver(std::move(fresh.handler), unusable);
    else if (at.kept_back)
        log_kept_back(pid);
}

error_code pidfd_waits::add(pid_type pid, std::uint64_t id, child_watcher::wait_handler handler)
{
    const destination to(handler);
    error_code ec;
    wait_service* const other = stand_in(to, ec);
    ended_wait fresh{std::move(handler), to.work(), {}, {}};
    condemned_waits replaced;
    place at;
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
        enroll(id, pid, fresh, to, at, true);
        registry_.each_added(pid, [&](child_wait& wait) {
            if (wait.owner == this && wait.id < id)
                replaced.add(wait);
        });
    }
    if (at.kept_back)
        log_kept_back(pid);
    return {};
}

void pidfd_waits::remove(std::uint64_t id)
{
    ended_wait removed; // destroyed after the lock is gone
    const std::lock_guard lock(registry_.mutex);
    if (child_wait* const wait = registry_.find_wait(id))
        registry_.withdraw(*wait).swap(removed);
}

std::size_t pidfd_waits::attach(asio::io_context* loop, error_code& ec)
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
    in_attached.unlink();
    attached_ = to;
    detached_ = to == nullptr;
    if (to != nullptr)
        to->add_attached(*this);
    for (child_wait& wait : waits_)
    {
        if (wait.has_executor || wait.stage == wait_stage::handed_over)
            continue;
        registry_.move(wait, to);
        kept_back += to == nullptr ? 1U : 0U;
    }
    return kept_back;
}

bool pidfd_waits::is_active() const
{
    const std::lock_guard lock(registry_.mutex);
    return !why_unusable() && !detached_;
}

void pidfd_waits::close()
{
    condemned_waits doomed;
    std::unique_lock lock(registry_.mutex);
    if (std::exchange(closed_, true))
        return;
    const bool ours = generation_ == fork_generation();
    in_attached.unlink();
    attached_ = nullptr;
    const auto is_kept_back = [](const child_wait& wait) {
        return wait.stage != wait_stage::handed_over && wait.service == nullptr;
    };
    wait_service* stand_in = nullptr;
    if (ours && std::any_of(waits_.begin(), waits_.end(), is_kept_back))
    {
        lock.unlock(); // it is closed: there are only fewer afterwards
        stand_in = any_service_if_possible();
        lock.lock();
    }
    while (!waits_.empty())
    {
        child_wait& wait = waits_.front();
        wait.in_owner.unlink();
        wait.owner = nullptr;
        if (wait.stage == wait_stage::handed_over)
            continue;
        if (wait.stage == wait_stage::pending)
            registry_.end(wait, ours ? make_error_code(asio::error::operation_aborted)
                                     : make_error_code(error::forked));
        if (wait.service != nullptr)
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
}

void pidfd_waits::lose_loop() noexcept
{
    in_attached.unlink();
    attached_ = nullptr;
    detached_ = true;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
