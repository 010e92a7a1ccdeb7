// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/child_watcher.hpp>

#include "detail/child_registry.hpp"
#include "detail/fork.hpp"
#include "detail/wait_service.hpp"
#include "platform/system.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/errc.hpp>

#include <iterator>
#include <map>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

using erased_handler = child_watcher::wait_handler;

// The handlers that a watcher was given and that have not run. Guarded by the registry's mutex,
// which a fork leaves in order; no handler is called or destroyed with it held.
class handler_table
{
public:
    // Two for one pid are there only while the second is being registered.
    std::map<std::pair<pid_type, std::uint64_t>, erased_handler> handlers;
    const unsigned generation = fork_generation();
    bool closed = false;

    // Held while a handler is added or removed, hooks included, because those name it by its pid
    // only; an override may add another one. Not to be touched in a forked child.
    std::recursive_mutex changing;

    std::vector<erased_handler> take(pid_type pid, std::uint64_t before)
    {
        std::vector<erased_handler> taken;
        const auto first = handlers.lower_bound({pid, 0});
        const auto last = handlers.lower_bound({pid, before});
        for (auto i = first; i != last; ++i)
            taken.push_back(std::move(i->second));
        handlers.erase(first, last);
        return taken;
    }

    error_code why_unusable() const noexcept
    {
        if (generation != fork_generation())
            return error::forked;
        return closed ? make_error_code(error::watcher_closed) : error_code();
    }
};

namespace {

constexpr std::uint64_t any_token = ~std::uint64_t(0);

} // namespace

std::uint64_t next_handler_token() noexcept
{
    return child_registry::instance().next_id();
}

void complete_handler(const std::shared_ptr<handler_table>& table, pid_type pid,
    std::uint64_t token, const error_code& ec, const child_exit& exit)
{
    erased_handler handler;
    {
        child_registry& registry = child_registry::instance();
        const std::lock_guard lock(registry.mutex);
        const auto found = table->handlers.find({pid, token});
        if (found == table->handlers.end())
        {
            if (!ec)
                registry.keep(exit);
            return;
        }
        handler.swap(found->second);
        table->handlers.erase(found);
    }
    std::move(handler)(ec, exit);
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

void child_watcher::start_wait(pid_type pid, wait_handler handler)
{
    error_code ec;
    {
        const std::lock_guard lock(detail::child_registry::instance().mutex);
        ec = handlers_->why_unusable();
    }
    if (ec)
        detail::deliver(std::move(handler), ec);
    else
        do_async_wait(pid, std::move(handler));
}

void child_watcher::start_handler(pid_type pid, std::uint64_t token, wait_handler handler,
    wait_handler completion, error_code& ec)
{
    std::mutex& mutex = detail::child_registry::instance().mutex;
    std::vector<wait_handler> gone; // destroyed after the locks are gone
    {
        const std::lock_guard lock(mutex);
        ec = handlers_->why_unusable();
    }
    if (ec)
        return;
    const std::lock_guard changing(handlers_->changing);
    {
        const std::lock_guard lock(mutex);
        handlers_->handlers.emplace(std::pair(pid, token), std::move(handler));
    }
    try
    {
        do_add_handler(pid, std::move(completion), ec);
    }
    catch (...)
    {
        const std::lock_guard lock(mutex);
        if (auto added = handlers_->handlers.extract({pid, token}))
            gone.push_back(std::move(added.mapped()));
        throw;
    }
    const std::lock_guard lock(mutex);
    if (!ec)
        gone = handlers_->take(pid, token);
    else if (auto added = handlers_->handlers.extract({pid, token}))
        gone.push_back(std::move(added.mapped()));
}

bool child_watcher::remove_child_handler(pid_type pid)
{
    std::vector<wait_handler> gone; // destroyed after the locks are gone
    std::unique_lock changing(handlers_->changing, std::defer_lock);
    if (handlers_->generation == detail::fork_generation())
        changing.lock();
    {
        const std::lock_guard lock(detail::child_registry::instance().mutex);
        gone = handlers_->take(pid, detail::any_token);
    }
    if (gone.empty())
        return false;
    do_remove_handler(pid);
    return true;
}

void child_watcher::attach_loop(asio::io_context& loop)
{
    error_code ec;
    {
        const std::lock_guard lock(detail::child_registry::instance().mutex);
        ec = handlers_->why_unusable();
    }
    if (ec)
        detail::throw_error(
            ec, "attaching watcher '" + name() + "' to a loop on " + platform::describe_thread());
    do_attach(&loop);
}

void child_watcher::attach_loop(std::nullptr_t)
{
    error_code ec;
    {
        const std::lock_guard lock(detail::child_registry::instance().mutex);
        ec = handlers_->why_unusable();
    }
    if (ec)
        detail::throw_error(
            ec, "detaching watcher '" + name() + "' on " + platform::describe_thread());
    do_attach(nullptr);
}

bool child_watcher::is_active() const
{
    {
        const std::lock_guard lock(detail::child_registry::instance().mutex);
        if (handlers_->why_unusable())
            return false;
    }
    return do_is_active();
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

void child_watcher::do_add_handler(pid_type pid, wait_handler handler, error_code& ec)
{
    ec.clear();
    do_async_wait(pid, std::move(handler));
}

void child_watcher::do_remove_handler(pid_type) {}

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
