// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/watcher/process_watcher.hpp>

#include "platform/linux/pidfd.hpp"
#include "platform/posix/descriptor.hpp"
#include "watcher/process_waits.hpp"

#include <boost/system/errc.hpp>

#include <ostream>
#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

std::ostream& operator<<(std::ostream& to, process_metric which)
{
    switch (which)
    {
    case process_metric::resident_memory: return to << "resident_memory";
    case process_metric::cpu_share: return to << "cpu_share";
    case process_metric::descriptors: return to << "descriptors";
    case process_metric::threads: break;
    }
    return to << "threads";
}

std::ostream& operator<<(std::ostream& to, process_event::kind what)
{
    switch (what)
    {
    case process_event::kind::ended: return to << "ended";
    case process_event::kind::above: return to << "above";
    case process_event::kind::below: break;
    }
    return to << "below";
}

process_watcher::process_watcher(process_watch_options options)
    : attached_watcher(detail::process_waits::make(options))
{}

process_watcher::process_watcher(asio::io_context& loop, process_watch_options options)
    : process_watcher(options)
{
    attach_loop(loop);
}

detail::process_waits& process_watcher::own_waits() const noexcept
{
    return static_cast<detail::process_waits&>(waits());
}

void process_watcher::add(pid_type pid, const process_limits& limits)
{
    error_code ec;
    add(pid, limits, ec);
    if (ec)
        detail::throw_error(ec, "watching process " + std::to_string(pid));
}

void process_watcher::add(pid_type pid, const process_limits& limits, error_code& ec)
{
    const int pidfd = platform::open_pidfd(pid, ec);
    if (platform::is_no_process(ec))
        ec = make_error_code(boost::system::errc::no_such_process);
    if (!ec)
        own_waits().add_process(pid, pidfd, limits, ec);
}

void process_watcher::add_pidfd(int pidfd, const process_limits& limits)
{
    error_code ec;
    add_pidfd(pidfd, limits, ec);
    if (ec)
        detail::throw_error(ec, "watching the process of pidfd " + std::to_string(pidfd));
}

void process_watcher::add_pidfd(int pidfd, const process_limits& limits, error_code& ec)
{
    const pid_type pid = platform::pid_of(pidfd, ec);
    const int copy = ec ? -1 : platform::copy_descriptor(pidfd, ec);
    if (!ec)
        own_waits().add_process(pid, copy, limits, ec);
}

bool process_watcher::remove(pid_type pid)
{
    return own_waits().remove_process(pid);
}

std::vector<pid_type> process_watcher::processes() const
{
    return own_waits().processes();
}

process_sample process_watcher::sample(pid_type pid)
{
    error_code ec;
    const process_sample taken = sample(pid, ec);
    if (ec)
        detail::throw_error(ec, "looking at process " + std::to_string(pid));
    return taken;
}

process_sample process_watcher::sample(pid_type pid, error_code& ec)
{
    return own_waits().sample(pid, ec);
}

error_code process_watcher::pressure_error() const
{
    return own_waits().pressure_error();
}

void process_watcher::start_wait(wait_handler handler)
{
    own_waits().add(std::move(handler));
}

} // namespace LOOPS_ABI
} // namespace loops
