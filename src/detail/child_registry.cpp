// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/child_registry.hpp"

#include "detail/fork.hpp"
#include "detail/pidfd_waits.hpp"
#include "detail/wait_service.hpp"
#include "platform/linux/pidfd.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <new>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// A handler with its result, on its way through an executor.
struct bound_end
{
    child_watcher::wait_handler handler;
    error_code ec;
    child_exit exit;

    void operator()() { std::move(handler)(ec, std::move(exit)); }
};

} // namespace

void ended_wait::complete() &&
{
    if (!executor)
    {
        std::move(handler)(ec, std::move(exit));
        return;
    }
    // Held until the handler is on its way: it counts as work there.
    const asio::any_completion_executor to = std::move(executor);
    to.execute(bound_end{std::move(handler), ec, std::move(exit)});
}

child_registry& child_registry::instance()
{
    static child_registry& it = *new child_registry;
    return it;
}

child_registry::child_key child_registry::key_of(pid_type pid) noexcept
{
    return {fork_generation(), pid};
}

child_wait& child_registry::add_wait(std::uint64_t id, pid_type pid, bool is_handler)
{
    child_wait& wait = waits_[id];
    wait.id = id;
    wait.pid = pid;
    wait.generation = fork_generation();
    try
    {
        if (is_handler)
            added_.emplace(key_of(pid), &wait);
    }
    catch (...)
    {
        waits_.erase(id);
        throw;
    }
    wait.is_handler = is_handler;
    return wait;
}

child_wait* child_registry::find_wait(std::uint64_t id) noexcept
{
    const auto found = waits_.find(id);
    return found != waits_.end() ? &found->second : nullptr;
}

// Out of everything but the books.
void child_registry::loosen(child_wait& wait) noexcept
{
    if (wait.child != nullptr)
        untie(wait);
    wait.in_stage.unlink();
    if (wait.stage == wait_stage::kept_exit)
        --kept_count_;
    wait.service = nullptr;
    wait.in_owner.unlink();
    wait.owner = nullptr;
}

ended_wait child_registry::take(child_wait& wait) noexcept
{
    loosen(wait);
    if (wait.is_handler)
        drop_added(wait);
    ended_wait end = std::move(wait.end);
    waits_.erase(wait.id);
    return end;
}

void child_registry::condemn(child_wait& wait, stage_list& condemned) noexcept
{
    loosen(wait);
    if (wait.is_handler)
        drop_added(wait);
    wait.stage = wait_stage::condemned;
    condemned.push_back(wait);
}

child_record* child_registry::find_child(pid_type pid) noexcept
{
    const auto found = children_.find(key_of(pid));
    return found != children_.end() ? &found->second : nullptr;
}

child_record* child_registry::add_child(pid_type pid, int pidfd)
{
    try
    {
        child_record& child = children_[key_of(pid)];
        child.key = key_of(pid);
        child.pidfd = pidfd;
        return &child;
    }
    catch (...)
    {
        platform::close_descriptor(pidfd);
        throw;
    }
}

child_registry::answer child_registry::tie(child_wait& wait)
{
    child_record* child = find_child(wait.pid);
    // The number may have been given to another process since: to the kernel the pidfd is the
    // child, to us the number is.
    if (child != nullptr)
    {
        const error_code gone = platform::check_child(child->pidfd);
        if (gone && gone != boost::system::errc::no_child_process)
            return {gone, std::nullopt};
        if (gone)
        {
            end_all(*child, error::child_status_lost);
            child = nullptr;
        }
    }
    if (child == nullptr)
    {
        error_code ec;
        const int pidfd = platform::open_pidfd(wait.pid, ec);
        bool none = ec && platform::is_no_process(ec);
        if (!ec)
        {
            ec = platform::check_child(pidfd);
            none = ec == boost::system::errc::no_child_process;
        }
        if (ec)
        {
            platform::close_descriptor(pidfd);
            if (!none)
                return {ec, std::nullopt};
            const auto kept = take_kept(wait.pid);
            return {kept ? error_code() : make_error_code(error::not_a_child), kept};
        }
        child = add_child(wait.pid, pidfd);
        forget_exits(wait.pid);
    }
    child->waits.push_back(wait);
    wait.child = child;
    return {};
}

void child_registry::untie(child_wait& wait) noexcept
{
    child_record& child = *std::exchange(wait.child, nullptr);
    wait.in_child.unlink();
    if (wait.watched != nullptr)
        unwatch(wait);
    forget_if_unused(child);
}

void child_registry::forget_if_unused(child_record& child) noexcept
{
    if (!child.waits.empty())
        return;
    platform::close_descriptor(child.pidfd);
    children_.erase(child.key);
}

error_code child_registry::watch(child_wait& wait, wait_service& service)
{
    child_record& child = *wait.child;
    const auto same = [&](const child_on_loop& on_loop) { return on_loop.service == &service; };
    auto found = std::find_if(child.loops.begin(), child.loops.end(), same);
    if (found == child.loops.end())
    {
        const std::uint64_t id = next_id();
        child_on_loop& made = on_loops_[id];
        made.id = id;
        made.child = &child;
        made.service = &service;
        error_code ec;
        try
        {
            ec = service.watch(made);
        }
        catch (...)
        {
            on_loops_.erase(id);
            throw;
        }
        if (ec)
        {
            on_loops_.erase(id);
            return ec;
        }
        child.loops.push_back(made);
        found = child.loops.iterator_to(made);
    }
    ++found->waits;
    wait.watched = &*found;
    return {};
}

void child_registry::unwatch(child_wait& wait) noexcept
{
    child_on_loop& on_loop = *std::exchange(wait.watched, nullptr);
    if (--on_loop.waits > 0)
        return;
    on_loop.service->unwatch(on_loop);
    on_loops_.erase(on_loop.id); // and out of its lists
}

void child_registry::move(child_wait& wait, wait_service* to) noexcept
{
    if (wait.stage == wait_stage::pending)
    {
        if (to != nullptr && wait.service == to && wait.watched != nullptr)
            return;
        if (wait.watched != nullptr)
            unwatch(wait);
        wait.service = to;
        if (to == nullptr)
            return;
        // An operation of Asio's that cannot be started, and is destroyed, would leave a loop that has
        // no other work stopped: with what tells of that unrun.
        const auto until_told = asio::make_work_guard(to->get_executor());
        error_code ec;
        try
        {
            ec = watch(wait, *to);
        }
        catch (const system_error& e)
        {
            ec = e.code();
        }
        catch (const std::bad_alloc&)
        {
            ec = make_error_code(boost::system::errc::not_enough_memory);
        }
        if (ec)
            end(wait, ec);
    }
    else if (wait.stage == wait_stage::ended && wait.service != to)
    {
        wait.in_stage.unlink();
        wait.service = to;
        if (to != nullptr)
            to->push_ready(wait);
    }
}

void child_registry::end(child_wait& wait, const error_code& ec, const child_exit& exit) noexcept
{
    if (wait.child != nullptr)
        untie(wait);
    wait.stage = wait_stage::ended;
    wait.end.ec = ec;
    wait.end.exit = exit;
    if (wait.service != nullptr)
        wait.service->push_ready(wait);
}

void child_registry::end_all(
    child_record& child, const error_code& ec, const child_exit& exit) noexcept
{
    // The last one takes the record with it.
    for (bool last = false; !last;)
    {
        last = &child.waits.front() == &child.waits.back();
        end(child.waits.front(), ec, exit);
    }
}

void child_registry::reap(std::uint64_t on_loop_id) noexcept
{
    const auto found = on_loops_.find(on_loop_id);
    if (found == on_loops_.end())
        return; // it was taken away after the kernel had reported it
    child_record& child = *found->second.child;
    error_code ec;
    const auto exit = platform::reap_child(child.pidfd, child.key.second, ec);
    if (ec == boost::system::errc::no_child_process)
        ec = error::child_status_lost;
    if (ec)
        end_all(child, ec);
    else if (exit)
        end_all(child, error_code(), *exit);
    // Else it is dead but traced: its tracer goes first, and the kernel reports it once more.
}

void child_registry::remove_watcher() noexcept
{
    if (--watchers_ > 0)
        return;
    // Nobody is left who could want the inner epolls.
    for (auto next = services_.begin(); next != services_.end();)
        (*next++)->close_if_idle(); // which may take it from the list
}

void child_registry::add_service(wait_service& service)
{
    services_.push_back(&service);
}

void child_registry::remove_service(wait_service& service) noexcept
{
    services_.remove(&service);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
