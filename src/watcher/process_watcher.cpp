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
    : waits_(detail::process_waits::make(options))
{}

process_watcher::process_watcher(asio::io_context& loop, process_watch_options options)
    : process_watcher(options)
{
    attach_loop(loop);
}

process_watcher::~process_watcher()
{
    try
    {
        close();
    }
    catch (...) // for want of memory: the handlers are destroyed uncalled
    {}
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
        waits_->add_process(pid, pidfd, limits, ec);
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
        waits_->add_process(pid, copy, limits, ec);
}

bool process_watcher::remove(pid_type pid)
{
    return waits_->remove_process(pid);
}

std::vector<pid_type> process_watcher::processes() const
{
    return waits_->processes();
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
    return waits_->sample(pid, ec);
}

error_code process_watcher::pressure_error() const
{
    return waits_->pressure_error();
}

void process_watcher::start_wait(wait_handler handler)
{
    waits_->add(std::move(handler));
}

void process_watcher::attach_loop(asio::io_context& loop)
{
    error_code ec;
    attach_loop(loop, ec);
    if (ec)
        detail::throw_error(ec, "attaching a watcher of processes to a loop");
}

void process_watcher::attach_loop(asio::io_context& loop, error_code& ec)
{
    waits_->attach(loop, ec);
}

void process_watcher::attach_loop(std::nullptr_t)
{
    waits_->detach();
}

bool process_watcher::is_active() const
{
    return waits_->is_active();
}

void process_watcher::close()
{
    waits_->close();
}

} // namespace LOOPS_ABI
} // namespace loops
