// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/child_registry.hpp"

#include "detail/child_waits.hpp"
#include "detail/fork.hpp"
#include "detail/reaper.hpp"
#include "detail/wait_service.hpp"
#include "platform/linux/pidfd.hpp"
#include "platform/posix/descriptor.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/system/errc.hpp>

#include <new>
#include <optional>

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

child_wait& child_registry::add_wait(
    std::uint64_t id, pid_type pid, bool is_handler, ended_wait& fresh)
{
    waits_.reserve();
    child_wait& wait = wait_store_.make();
    wait.id = id;
    wait.pid = pid;
    wait.generation = fork_generation();
    try
    {
        if (fresh.executor)
            wait.executor = &executor_store_.make();
        if (is_handler)
            added_.emplace(key_of(pid), &wait);
    }
    catch (...)
    {
        if (wait.executor != nullptr)
            executor_store_.destroy(*wait.executor);
        wait_store_.destroy(wait);
        throw;
    }
    wait.is_handler = is_handler;
    wait.handler.swap(fresh.handler);
    if (wait.executor != nullptr)
        wait.executor->swap(fresh.executor);
    waits_.insert(wait);
    return wait;
}

child_wait* child_registry::find_wait(std::uint64_t id) noexcept
{
    return waits_.find(id);
}

// Out of everything but the books.
void child_registry::loosen(child_wait& wait) noexcept
{
    if (wait.stage == wait_stage::pending && wait.child != nullptr)
        untie(wait);
    wait.in_list.unlink();
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
    ended_wait end = hand_out(wait);
    if (wait.child != nullptr)
        release(*wait.child);
    if (wait.executor != nullptr)
        executor_store_.destroy(*wait.executor);
    waits_.erase(wait);
    wait_store_.destroy(wait);
    return end;
}

// What is to be called, and with what; the wait has its exit still.
ended_wait child_registry::hand_out(child_wait& wait) noexcept
{
    ended_wait end;
    end.handler.swap(wait.handler);
    if (wait.executor != nullptr)
        end.executor.swap(*wait.executor);
    if (wait.child != nullptr)
        end.exit = wait.child->exit();
    else
        end.ec = wait.error();
    return end;
}

void child_registry::condemn(child_wait& wait, wait_list& condemned) noexcept
{
    loosen(wait);
    if (wait.is_handler)
        drop_added(wait);
    wait.stage = wait_stage::condemned;
    condemned.push_back(wait);
}

child_record* child_registry::find_child(pid_type pid) noexcept
{
    return children_.find(key_of(pid));
}

child_record* child_registry::add_child(pid_type pid, int pidfd)
{
    try
    {
        children_.reserve();
        child_record& child = child_store_.make();
        child.generation = fork_generation();
        child.pid = pid;
        child.pidfd = pidfd;
        child.sequence = ++last_sequence_;
        if (pidfd < 0)
        {
            const platform::process_birth birth = platform::birth_of(pid);
            child.birth_from = birth.from;
            child.birth = birth.value;
        }
        children_.insert(child);
        return &child;
    }
    catch (...)
    {
        platform::close_descriptor(pidfd);
        throw;
    }
}

// The number may have been given to another process since: to the kernel the pidfd is the child, to
// us the number is. False, and no error: it was.
bool child_registry::is_same(child_record& child, watching how, error_code& ec) noexcept
{
    ec = platform::check_child(child.id());
    if (ec && ec != boost::system::errc::no_child_process)
        return false;
    const bool same = !ec && (child.pidfd >= 0 || platform::has_birth(child.pid, child.born()));
    ec.clear();
    if (same && child.pidfd < 0 && how == watching::by_pidfd)
    {
        error_code ignored; // it is watched otherwise already
        child.pidfd = platform::open_pidfd(child.pid, ignored);
    }
    return same;
}

// `no_child_process`: there is no child of ours with that number.
error_code child_registry::open_child(pid_type pid, watching how, int& pidfd) noexcept
{
    error_code ec;
    if (how == watching::by_pidfd)
        pidfd = platform::open_pidfd(pid, ec);
    if (platform::is_no_process(ec))
        return make_error_code(boost::system::errc::no_child_process);
    if (ec && !platform::is_shortage(ec))
        return ec;
    ec = platform::check_child({pid, pidfd});
    if (ec)
        platform::close_descriptor(std::exchange(pidfd, -1));
    return ec;
}

child_registry::answer child_registry::tie(child_wait& wait, watching how)
{
    child_record* child = find_child(wait.pid);
    error_code ec;
    if (child != nullptr && !is_same(*child, how, ec))
    {
        if (ec)
            return {ec};
        end_lost(*child);
        child = nullptr;
    }
    if (child == nullptr)
    {
        int pidfd = -1;
        ec = open_child(wait.pid, how, pidfd);
        if (ec == boost::system::errc::no_child_process)
        {
            child_record* const kept = take_kept(wait.pid);
            return {kept ? error_code() : make_error_code(error::not_a_child), kept};
        }
        if (ec)
            return {ec};
        child = add_child(wait.pid, pidfd);
        forget_exits(wait.pid);
    }
    try
    {
        if (wait.is_state)
            state_waits_.emplace(wait.id, &wait);
    }
    catch (...)
    {
        if (child->waits().empty())
            forget(*child), child_store_.destroy(*child);
        throw;
    }
    child->waits().push_back(wait);
    wait.child = child;
    return {};
}

void child_registry::untie(child_wait& wait) noexcept
{
    if (wait.is_watched)
        unwatch(wait);
    child_record& child = *std::exchange(wait.child, nullptr);
    wait.in_list.unlink();
    if (wait.is_state)
        state_waits_.erase(wait.id);
    if (!child.waits().empty())
        return;
    forget(child);
    child_store_.destroy(child);
}

// Out of the books, with what watched it. Gives the waits that it had.
wait_list child_registry::forget(child_record& child) noexcept
{
    for (child_watch* watch = &child.alive().first; watch != nullptr;)
    {
        child_watch* const next = watch->next;
        if (watch->service != nullptr)
            drop_watch(*watch);
        watch = next;
    }
    children_.erase(child);
    platform::close_descriptor(std::exchange(child.pidfd, -1));
    wait_list waits;
    waits.swap(child.waits());
    return waits;
}

void child_registry::move(child_wait& wait, wait_service* to) noexcept
{
    if (wait.stage == wait_stage::pending)
    {
        if (to != nullptr && wait.service == to && wait.is_watched)
            return;
        if (wait.is_watched)
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
        wait.in_list.unlink();
        wait.service = to;
        if (to != nullptr)
            to->push_ready(wait);
    }
}

// What it ended with is there; its service may have it.
void child_registry::finish(child_wait& wait) noexcept
{
    wait.stage = wait_stage::ended;
    wait.is_watched = false;
    if (wait.service != nullptr)
        wait.service->push_ready(wait);
}

void child_registry::end(child_wait& wait, const error_code& ec) noexcept
{
    if (wait.child != nullptr)
        untie(wait);
    wait.set_error(ec);
    finish(wait);
}

void child_registry::end(child_wait& wait, child_record& with_exit) noexcept
{
    if (wait.child != nullptr)
        untie(wait);
    wait.child = &with_exit;
    finish(wait);
}

// Those that a child had which is out of the books: each has `how(wait)` said what it ended with.
template <class How>
void child_registry::finish_all(wait_list& waits, How how) noexcept
{
    while (!waits.empty())
    {
        child_wait& wait = waits.front();
        waits.pop_front();
        if (wait.is_state)
            state_waits_.erase(wait.id);
        how(wait);
        finish(wait);
    }
}

void child_registry::end_all(child_record& child, const error_code& ec) noexcept
{
    wait_list waits = forget(child);
    finish_all(waits, [&](child_wait& wait) {
        wait.child = nullptr;
        wait.set_error(ec);
    });
    child_store_.destroy(child);
}

void child_registry::end_all(child_record& child, const child_exit& exit) noexcept
{
    wait_list waits = forget(child);
    child.hold(exit);
    child.holders = 1; // us
    finish_all(waits, [&](child_wait&) { ++child.holders; });
    release(child);
}

child_record& child_registry::hold(const child_exit& exit)
{
    child_record& made = child_store_.make();
    made.hold(exit);
    made.holders = 1;
    return made;
}

void child_registry::release(child_record& exit) noexcept
{
    if (--exit.holders == 0)
        child_store_.destroy(exit);
}

void child_registry::end_lost(child_record& child) noexcept
{
    const auto status =
        child.pidfd >= 0 ? platform::exit_status(child.pidfd) : std::optional<int>();
    if (status)
        end_all(child, child_exit(child.pid, *status));
    else
        end_all(child, make_error_code(error::child_status_lost));
}

bool child_registry::look_at(child_record& child, look how) noexcept
{
    error_code ec;
    std::optional<child_exit> exit;
    if (child.pidfd >= 0)
        exit = platform::reap_child(child.id(), ec);
    else if (how == look::at_dead || platform::is_dead(child.id(), ec))
        exit = platform::reap_child(child.pid, child.born(), ec);
    else if (!ec && how == look::thorough && !platform::has_birth(child.pid, child.born()))
        ec = make_error_code(boost::system::errc::no_child_process);
    if (ec == boost::system::errc::no_child_process)
        end_lost(child);
    else if (ec)
        end_all(child, ec);
    else if (exit)
        end_all(child, *exit);
    else
        return false; // it lives, or is dead but traced: its tracer goes first
    return true;
}

std::uint64_t child_registry::epoll_id(const child_record& child) noexcept
{
    return std::uint64_t(child.sequence) << 32 | static_cast<std::uint32_t>(child.pid);
}

void child_registry::look_at(std::uint64_t epoll_id) noexcept
{
    child_record* const child = find_child(static_cast<pid_type>(epoll_id & 0xffffffff));
    if (child != nullptr && child_registry::epoll_id(*child) == epoll_id)
        look_at(*child);
}

void child_registry::look_at_states(const wait_service* service) noexcept
{
    // By one of a child's waits all of them are told: the next one is looked for anew.
    for (auto next = state_waits_.begin(); next != state_waits_.end();)
    {
        const std::uint64_t id = next->first;
        child_wait& wait = *next->second;
        child_record& child = *wait.child;
        const child_watch* const watch = wait.is_watched && child.generation == fork_generation()
                                             ? find_watch(child, *wait.service, wait.owner->how())
                                             : nullptr;
        const bool by_loop = watch != nullptr && watch->how == watching::by_look;
        if (watch != nullptr &&
            (service == nullptr ? !by_loop : by_loop && service == wait.service))
        {
            if (const auto state = platform::take_state(child.id()))
                tell_state(child, child_exit(child.pid, *state));
        }
        next = state_waits_.upper_bound(id);
    }
}

void child_registry::tell_state(child_record& child, const child_exit& said) noexcept
{
    child_record* told = nullptr;
    error_code ec;
    try
    {
        told = &hold(said);
    }
    catch (const std::bad_alloc&)
    {
        ec = make_error_code(boost::system::errc::not_enough_memory);
    }
    for (auto next = child.waits().begin(); next != child.waits().end();)
    {
        child_wait& wait = *next++;
        if (!wait.is_state)
            continue;
        const bool last = next == child.waits().end() && &child.waits().front() == &wait;
        if (told == nullptr)
            end(wait, ec);
        else
        {
            ++told->holders;
            end(wait, *told);
        }
        if (last)
            break; // the child went with it
    }
    if (told != nullptr)
        release(*told);
}

void child_registry::keep(const child_exit& exit) noexcept
{
    forget_exits(exit.pid()); // the number was used anew
    child_record* held = nullptr;
    try
    {
        held = &hold(exit);
        ended_wait nothing;
        child_wait& wait = add_wait(next_id(), exit.pid(), true, nothing);
        wait.child = held;
        add_kept(wait);
    }
    catch (const std::bad_alloc&) // it is not kept
    {
        if (held != nullptr)
            release(*held);
    }
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
