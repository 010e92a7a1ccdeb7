// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// The registry's part that has a child watched: once for each loop and way, however many waits.

#include "detail/child_registry.hpp"
#include "detail/child_waits.hpp"
#include "detail/reaper.hpp"
#include "detail/wait_service.hpp"
#include "platform/linux/pidfd.hpp"

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

child_watch* child_registry::find_watch(
    child_record& child, wait_service& service, watching wanted) noexcept
{
    child_watch* watch = &child.alive().first;
    while (watch != nullptr && (watch->service != &service || watch->wanted != wanted))
        watch = watch->next;
    return watch;
}

// Of the same child, not in use yet.
child_watch& child_registry::add_watch(child_record& child)
{
    child_watch& first = child.alive().first;
    if (first.service == nullptr)
        return first;
    child_watch& made = watch_store_.make();
    made.next = std::exchange(first.next, &made);
    return made;
}

void child_registry::drop_watch(child_watch& watch) noexcept
{
    if (watch.service != nullptr)
    {
        if (watch.in_reaper.is_linked())
            reaper::instance().unwatch(watch);
        watch.service->unwatch(watch);
        watch.service = nullptr;
    }
    child_watch* before = &watch.child->alive().first;
    if (before == &watch)
        return; // it has its room there for good
    while (before->next != &watch)
        before = before->next;
    before->next = watch.next;
    watch_store_.destroy(watch);
}

error_code child_registry::watch(child_wait& wait, wait_service& service)
{
    child_record& child = *wait.child;
    const watching wanted = wait.owner->how();
    child_watch* watch = find_watch(child, service, wanted);
    if (watch == nullptr)
    {
        watch = &add_watch(child);
        watch->child = &child;
        watch->wanted = wanted;
        watch->waits = 0;
        error_code ec;
        try
        {
            ec = start_watch(*watch, service, wait.owner->bounds());
        }
        catch (...)
        {
            drop_watch(*watch);
            throw;
        }
        if (ec)
        {
            drop_watch(*watch);
            return ec;
        }
        watch->service = &service;
    }
    else if (watch->how == watching::by_look)
    {
        service.hurry(wait.owner->bounds());
    }
    ++watch->waits;
    wait.is_watched = true;
    return {};
}

// Where the system refuses one way for want of something, the next one: none of the others needs
// what it lacks.
error_code child_registry::start_watch(
    child_watch& made, wait_service& service, const look_bounds& bounds)
{
    if (made.wanted == watching::by_pidfd && made.child->pidfd >= 0)
    {
        const error_code ec = service.watch_by_pidfd(made);
        if (!platform::is_shortage(ec))
            return ec;
    }
    if (made.wanted != watching::by_look)
    {
        made.how = made.wanted == watching::by_signal ? made.wanted : watching::by_thread;
        if (reaper::instance().watch(made))
        {
            service.watch_by_reaper(made);
            return {};
        }
    }
    service.watch_by_look(made, bounds);
    return {};
}

void child_registry::unwatch(child_wait& wait) noexcept
{
    wait.is_watched = false;
    child_watch& watch = *find_watch(*wait.child, *wait.service, wait.owner->how());
    if (--watch.waits == 0)
        drop_watch(watch);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
