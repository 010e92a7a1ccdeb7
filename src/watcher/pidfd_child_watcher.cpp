// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/watcher/pidfd_child_watcher.hpp>

#include "detail/log.hpp"
#include "detail/pidfd_waits.hpp"
#include "platform/linux/pidfd.hpp"
#include "platform/system.hpp"

#include <boost/system/errc.hpp>

#include <cstdlib>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

bool pidfd_child_watcher::is_supported() noexcept
{
    const char* const off = std::getenv("LOOPS_NO_PIDFD");
    if (off != nullptr && *off != '\0')
        return false;
    static const bool works = platform::pidfds_work();
    return works;
}

pidfd_child_watcher::pidfd_child_watcher() : waits_(std::make_shared<detail::pidfd_waits>())
{
    if (!is_supported())
        detail::throw_error(make_error_code(boost::system::errc::operation_not_supported),
            "making a pidfd child watcher on " + platform::describe_thread() +
                "; this kernel, a filter of system calls, or LOOPS_NO_PIDFD refuses pidfds");
}

pidfd_child_watcher::~pidfd_child_watcher()
{
    close();
}

std::string pidfd_child_watcher::name() const
{
    return "pidfd";
}

void pidfd_child_watcher::do_async_wait(pid_type pid, wait_handler handler)
{
    waits_->start(pid, std::move(handler));
}

void pidfd_child_watcher::do_add_handler(
    pid_type pid, handler_id id, wait_handler handler, error_code& ec)
{
    ec = waits_->add(pid, id, std::move(handler));
}

void pidfd_child_watcher::do_remove_handler(pid_type /*pid*/, handler_id id)
{
    waits_->remove(id);
}

void pidfd_child_watcher::do_attach(asio::io_context* loop)
{
    error_code ec;
    const std::size_t kept_back = waits_->attach(loop, ec);
    if (ec)
        detail::throw_error(
            ec, "attaching a pidfd child watcher on " + platform::describe_thread());
    if (kept_back > 0)
        detail::log("a pidfd watcher was detached with " + std::to_string(kept_back) +
                    " waits pending, which are kept until it is attached again");
}

bool pidfd_child_watcher::do_is_active() const
{
    return waits_->is_active();
}

void pidfd_child_watcher::do_close()
{
    waits_->close();
}

} // namespace LOOPS_ABI
} // namespace loops
