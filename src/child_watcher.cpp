// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/child_watcher.hpp>

#include "detail/child_registry.hpp"
#include "detail/delivery.hpp"
#include "detail/fork.hpp"
#include "platform/system.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/errc.hpp>

#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// A handler that a watcher was given and that has not run.
struct added_handler
{
    child_watcher::wait_handler handler;
    bool registered = false; // false while the watcher may still refuse it
};

using added_handlers = std::map<std::pair<pid_type, std::uint64_t>, added_handler>;

// The handlers of a watcher. Guarded by the registry's mutex, which a fork leaves in order; no
// handler is called or destroyed with it held.
class handler_table
{
public:
    added_handlers handlers;
    bool has_records = false; // in the registry, each as long as its completion is on its way
    const unsigned generation = fork_generation();
    bool closed = false;

    // Those for `pid` with a number below `end`. Nodes move, and nothing is allocated.
    void take(pid_type pid, std::uint64_t end, added_handlers& to) noexcept
    {
        const auto last = handlers.lower_bound({pid, end});
        for (auto next = handlers.lower_bound({pid, 0}); next != last;)
            to.insert(handlers.extract(next++));
    }

    // The watcher took the handler: it takes the place of those before, and loses its own to one
    // that was registered meanwhile. False: it has none, and its wait is to go.
    bool settle(pid_type pid, std::uint64_t id, added_handlers& replaced) noexcept
    {
        take(pid, id, replaced);
        const auto own = handlers.find({pid, id});
        if (own == handlers.end())
            return false;
        own->second.registered = true;
        for (auto later = std::next(own); later != handlers.end() && later->first.first == pid;
             ++later)
        {
            if (!later->second.registered)
                continue;
            replaced.insert(handlers.extract(own));
            return false;
        }
        return true;
    }

    error_code why_unusable() const noexcept
    {
        if (generation != fork_generation())
            return error::forked;
        return closed ? make_error_code(error::watcher_closed) : error_code();
    }
};

namespace {

constexpr std::uint64_t no_end = ~std::uint64_t(0);

// What a function that throws does, as an error code.
template <class Function>
void report_to(error_code& ec, Function function)
{
    ec.clear();
    try
    {
        function();
    }
    catch (const system_error& e)
    {
        ec = e.code();
    }
}

} // namespace

std::uint64_t next_handler_id() noexcept
{
    return child_registry::instance().next_id();
}

void complete_handler(const std::shared_ptr<handler_table>& table, pid_type pid, std::uint64_t id,
    const error_code& ec, const child_exit& exit)
{
    child_watcher::wait_handler handler;
    {
        child_registry& registry = child_registry::instance();
        const std::lock_guard lock(registry.mutex);
        const auto found = table->handlers.find({pid, id});
        if (found == table->handlers.end())
            return;
        // It is being replaced, by one that was given its exit: whoever does that takes it out.
        if (table->has_records && !registry.is_handed_over(id))
            return;
        handler.swap(found->second.handler);
        table->handlers.erase(found);
        registry.forget_handed_over(id);
    }
    std::move(handler)(ec, exit);
}

void abandon_handler(
    const std::shared_ptr<handler_table>& table, pid_type pid, std::uint64_t id) noexcept
{
    added_handlers::node_type gone; // destroyed after the lock is gone
    child_registry& registry = child_registry::instance();
    const std::lock_guard lock(registry.mutex);
    gone = table->handlers.extract({pid, id});
    // Else whoever took it from the table sees to its exit.
    if (gone)
        registry.forget_handed_over(id);
}

} // namespace detail

namespace detail {

void note_records(handler_table& table) noexcept
{
    table.has_records = true;
}

} // namespace detail

child_watcher::child_watcher() : handlers_(std::make_shared<detail::handler_table>()) {}

child_watcher::~child_watcher() = default;

void child_watcher::check_pid(pid_type pid) const
{
    if (pid <= 0)
        detail::throw_error(asio::error::invalid_argument,
            "waiting for child " + std::to_string(pid) + " with watcher '" + name() + "' on " +
                platform::describe_thread() + "; a child has a number greater than 0");
}

void child_watcher::throw_unregistered(pid_type pid, const error_code& ec) const
{
    if (pid <= 0)
        check_pid(pid);
    detail::throw_error(ec, "adding a handler for child " + std::to_string(pid) + " to watcher '" +
                                name() + "' on " + platform::describe_thread());
}

error_code child_watcher::why_unusable() const
{
    const std::lock_guard lock(detail::child_registry::instance().mutex);
    return handlers_->why_unusable();
}

void child_watcher::start_wait(pid_type pid, wait_handler handler)
{
    if (const error_code ec = why_unusable())
        detail::deliver(std::move(handler), ec);
    else
        do_async_wait(pid, std::move(handler));
}

void child_watcher::start_state_wait(pid_type pid, wait_handler handler)
{
    if (const error_code ec = why_unusable())
        detail::deliver(std::move(handler), ec);
    else
        do_async_wait_state(pid, std::move(handler));
}

void child_watcher::start_handler(
    pid_type pid, handler_id id, wait_handler handler, wait_handler completion, error_code& ec)
{
    std::mutex& mutex = detail::child_registry::instance().mutex;
    {
        const std::lock_guard lock(mutex);
        ec = handlers_->why_unusable();
        if (ec)
            return;
        handlers_->handlers[{pid, id}].handler.swap(handler);
    }
    // Where this throws or refuses, it destroys the completion, and that the handler.
    do_add_handler(pid, id, std::move(completion), ec);
    if (ec)
        return;
    detail::added_handlers replaced; // destroyed after the lock is gone
    bool stays = false;
    {
        const std::lock_guard lock(mutex);
        stays = handlers_->settle(pid, id, replaced);
    }
    if (!stays)
        do_remove_handler(pid, id);
}

bool child_watcher::remove_child_handler(pid_type pid)
{
    detail::added_handlers removed; // destroyed after the lock is gone
    {
        const std::lock_guard lock(detail::child_registry::instance().mutex);
        handlers_->take(pid, detail::no_end, removed);
    }
    for (const auto& each : removed)
        do_remove_handler(pid, each.first.second);
    return !removed.empty();
}

void child_watcher::attach_loop(asio::io_context& loop)
{
    if (const error_code ec = why_unusable())
        detail::throw_error(
            ec, "attaching watcher '" + name() + "' to a loop on " + platform::describe_thread());
    do_attach(&loop);
}

void child_watcher::attach_loop(asio::io_context& loop, error_code& ec)
{
    detail::report_to(ec, [&] { attach_loop(loop); });
}

void child_watcher::attach_loop(std::nullptr_t)
{
    if (const error_code ec = why_unusable())
        detail::throw_error(
            ec, "detaching watcher '" + name() + "' on " + platform::describe_thread());
    do_attach(nullptr);
}

void child_watcher::attach_loop(std::nullptr_t, error_code& ec)
{
    detail::report_to(ec, [&] { attach_loop(nullptr); });
}

bool child_watcher::is_active() const
{
    return !why_unusable() && do_is_active();
}

void child_watcher::close()
{
    {
        const std::lock_guard lock(detail::child_registry::instance().mutex);
        if (std::exchange(handlers_->closed, true))
            return;
    }
    do_close();
}

void child_watcher::close(error_code& ec)
{
    detail::report_to(ec, [&] { close(); });
}

void child_watcher::do_async_wait_state(pid_type /*pid*/, wait_handler handler)
{
    detail::deliver(
        std::move(handler), make_error_code(boost::system::errc::operation_not_supported));
}

void child_watcher::do_add_handler(
    pid_type pid, handler_id /*id*/, wait_handler handler, error_code& ec)
{
    ec.clear();
    do_async_wait(pid, std::move(handler));
}

void child_watcher::do_remove_handler(pid_type, handler_id) {}

void child_watcher::do_attach(asio::io_context*)
{
    detail::throw_error(make_error_code(boost::system::errc::operation_not_supported),
        "attaching watcher '" + name() + "' on " + platform::describe_thread() +
            "; it works without");
}

bool child_watcher::do_is_active() const
{
    return true;
}

void child_watcher::do_close() {}

} // namespace LOOPS_ABI
} // namespace loops
