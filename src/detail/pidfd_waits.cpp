// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/pidfd_waits.hpp"

#include "detail/fork.hpp"
#include "detail/log.hpp"
#include "detail/loop_record.hpp"
#include "detail/wait_service.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>

#include <string>
#include <utility>
#include <vector>

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
        if (type == asio::cancellation_type::none)
            return;
        child_registry& registry = child_registry::instance();
        ended_wait loose;
        {
            const std::lock_guard lock(registry.mutex);
            child_wait* const wait = registry.find_wait(id);
            if (wait == nullptr || wait->child == nullptr)
                return; // it has ended; the end is on its way
            registry.end(*wait, asio::error::operation_aborted);
            if (wait->service != nullptr)
                return;
            registry.take(*wait).swap(loose);
        }
        // Its watcher is detached, but whoever cancels is waiting for the end.
        deliver(std::move(loose.handler), loose.ec);
    }
};

void log_kept_back(pid_type pid) noexcept
{
    log("a wait for child " + std::to_string(pid) +
        " was given to a detached pidfd watcher, and is kept until that is attached");
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

wait_service* pidfd_waits::service_for(const destination& to, wait_service* fallback) const noexcept
{
    if (to.service != nullptr)
        return to.service;
    if (attached_ != nullptr)
        return attached_;
    return detached_ && !to.executor ? nullptr : fallback;
}

bool pidfd_waits::wants_fallback() const
{
    const std::lock_guard lock(registry_.mutex);
    return attached_ == nullptr;
}

// With the mutex held. From here on the wait ends by itself, whatever it meets.
void pidfd_waits::enroll(std::uint64_t id, pid_type pid, child_watcher::wait_handler& handler,
    const destination& to, asio::any_completion_executor work, wait_service* service,
    bool is_handler)
{
    child_wait& wait = registry_.add_wait(id, pid);
    try
    {
        if (is_handler)
            handlers_[pid] = &wait;
        wait.is_handler = is_handler;
        wait.end.executor = std::move(work);
        wait.has_executor = static_cast<bool>(to.executor);
        wait.follows_attachment = to.service == nullptr;
        wait.owner = this;
        waits_.push_back(wait);

        auto [ec, kept] = registry_.tie(wait);
        if (!ec && service != nullptr && !service->is_ours())
            ec = error::forked;
        if (!ec && !kept)
            registry_.move(wait, service);
        wait.end.handler.swap(handler);
        if (ec || kept)
        {
            wait.service = service;
            registry_.end(wait, ec, kept.value_or(child_exit()));
        }
    }
    catch (...)
    {
        registry_.take(wait);
        throw;
    }
}

void pidfd_waits::start(pid_type pid, child_watcher::wait_handler handler)
{
    const destination to(handler);
    wait_service* const fallback =
        to.service == nullptr && wants_fallback() ? choose_service(to) : nullptr;
    const std::uint64_t id = registry_.next_id();
    // Before the wait can end: the slot goes with the handler.
    if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
        slot.assign(cancel_wait{id});
    asio::any_completion_executor work = to.work();
    error_code ec;
    bool kept_back = false;
    {
        const std::lock_guard lock(registry_.mutex);
        wait_service* const service = service_for(to, fallback);
        kept_back = service == nullptr && detached_;
        ec = why_unusable();
        if (!ec && service == nullptr && !kept_back)
            ec = error::no_running_event_loop;
        if (!ec && service != nullptr && service->is_shut())
            return; // destroyed with its loop, as Asio's operations are
        if (!ec)
            enroll(id, pid, handler, to, std::move(work), service, false);
    }
    if (ec)
        deliver(std::move(handler), ec);
    else if (kept_back)
        log_kept_back(pid);
}

error_code pidfd_waits::add(pid_type pid, child_watcher::wait_handler handler)
{
    const destination to(handler);
    wait_service* const fallback =
        to.service == nullptr && wants_fallback() ? choose_service(to) : nullptr;
    ended_wait replaced; // destroyed after the lock is gone
    asio::any_completion_executor work = to.work();
    bool loopless = false;
    bool kept_back = false;
    {
        const std::lock_guard lock(registry_.mutex);
        if (const error_code ec = why_unusable())
            return ec;
        wait_service* const service = service_for(to, fallback);
        if (service != nullptr && service->is_shut())
            return error::loop_closed;
        loopless = service == nullptr && !detached_;
        kept_back = service == nullptr && detached_;
        take_handler(pid).swap(replaced);
        if (!loopless)
            enroll(registry_.next_id(), pid, handler, to, std::move(work), service, true);
    }
    if (loopless)
        deliver(std::move(handler), error::no_running_event_loop);
    else if (kept_back)
        log_kept_back(pid);
    return {};
}

ended_wait pidfd_waits::take_handler(pid_type pid) noexcept
{
    const auto found = handlers_.find(pid);
    return found != handlers_.end() ? registry_.take(*found->second) : ended_wait();
}

void pidfd_waits::remove(pid_type pid)
{
    ended_wait removed; // destroyed after the lock is gone
    const std::lock_guard lock(registry_.mutex);
    take_handler(pid).swap(removed);
    if (!removed.ec && removed.exit.pid() != 0)
        registry_.keep(removed.exit);
}

std::size_t pidfd_waits::attach(asio::io_context* loop, error_code& ec)
{
    const bool closed = loop != nullptr && record_of(*loop)->is_closed();
    wait_service* const to = loop != nullptr && !closed ? &wait_service::of(*loop) : nullptr;
    std::size_t kept_back = 0;
    const std::lock_guard lock(registry_.mutex);
    ec = why_unusable();
    if (!ec && (closed || (to != nullptr && to->is_shut())))
        ec = error::loop_closed;
    if (!ec && to != nullptr && !to->is_ours())
        ec = error::forked;
    if (ec)
        return 0;
    if (attached_ != nullptr)
        attached_->remove_attached(*this);
    attached_ = to;
    detached_ = to == nullptr;
    if (to != nullptr)
        to->add_attached(*this);
    for (child_wait& wait : waits_)
    {
        // What has an executor of its own needs a loop only to watch: it keeps the one it has.
        if (!wait.follows_attachment || (to == nullptr && wait.has_executor))
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
    std::vector<ended_wait> loose; // ends without a loop; destroyed after the lock is gone
    {
        const std::lock_guard lock(registry_.mutex);
        if (std::exchange(closed_, true))
            return;
        const bool ours = generation_ == fork_generation();
        if (attached_ != nullptr)
            std::exchange(attached_, nullptr)->remove_attached(*this);
        while (!waits_.empty())
        {
            child_wait& wait = waits_.front();
            forget(wait);
            if (wait.child != nullptr)
                registry_.end(wait, ours ? make_error_code(asio::error::operation_aborted)
                                         : make_error_code(error::forked));
            if (wait.service == nullptr)
                loose.push_back(registry_.take(wait));
        }
        registry_.remove_watcher();
        if (!ours)
            return;
    }
    for (ended_wait& end : loose)
        deliver(std::move(end.handler), end.ec, end.exit);
}

void pidfd_waits::forget(child_wait& wait) noexcept
{
    waits_.erase(waits_.iterator_to(wait));
    wait.owner = nullptr;
    if (!wait.is_handler)
        return;
    const auto found = handlers_.find(wait.pid);
    if (found != handlers_.end() && found->second == &wait)
        handlers_.erase(found);
}

void pidfd_waits::lose_loop() noexcept
{
    std::exchange(attached_, nullptr)->remove_attached(*this);
    detached_ = true;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
