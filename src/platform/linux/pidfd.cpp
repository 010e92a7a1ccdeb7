// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/linux/pidfd.hpp"

#include "platform/fault.hpp"
#include "platform/last_error.hpp"
#include "platform/posix/descriptor.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// The numbers are the same everywhere, and older headers lack them.
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

// What linux/pidfd.h has since 6.13, and PIDFD_INFO_EXIT since 6.15.
struct pidfd_information
{
    std::uint64_t mask;
    std::uint64_t cgroup;
    std::uint32_t pid, tgid, ppid;
    std::uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    std::int32_t exit_code;
};
static_assert(sizeof(pidfd_information) == 64);
constexpr std::uint64_t wants_exit = 1U << 3;
constexpr unsigned long get_information = _IOWR(0xFF, 11, pidfd_information);

// What the probe met, and in which call.
struct probe
{
    const char* call = "";
    error_code ec;
};

void add_to_epoll(
    int epoll, int fd, std::uint64_t id, std::uint32_t events, error_code& ec) noexcept
{
    ec.clear();
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    if (injected_fault("epoll_ctl") || ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        ec = last_error();
}

probe try_pidfd(int pidfd) noexcept
{
    // Not a child of itself: a kernel that knows P_PIDFD says so, an older one EINVAL.
    const error_code child = check_child({::getpid(), pidfd});
    if (child != boost::system::errc::no_child_process)
        return {"waitid", child ? child : make_error_code(boost::system::errc::not_supported)};
    if (injected_fault("pidfd_send_signal") ||
        ::syscall(SYS_pidfd_send_signal, pidfd, 0, nullptr, 0) != 0)
        return {"pidfd_send_signal", last_error()};
    error_code ec;
    const int epoll = make_epoll(ec);
    if (ec)
        return {"epoll_create1", ec};
    epoll_add(epoll, pidfd, 1, ec);
    close_descriptor(epoll);
    return {"epoll_ctl", ec};
}

} // namespace

int open_pidfd(pid_type pid, error_code& ec) noexcept
{
    ec.clear();
    const int fd =
        injected_fault("pidfd_open") ? -1 : static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (fd < 0)
        ec = last_error();
    return fd;
}

bool is_no_process(const error_code& ec) noexcept
{
    // EINVAL and ENOENT: the number of a thread that leads no process.
    return ec.category() == boost::system::system_category() &&
           (ec.value() == ESRCH || ec.value() == EINVAL || ec.value() == ENOENT);
}

bool is_shortage(const error_code& ec) noexcept
{
    return ec.category() == boost::system::system_category() &&
           (ec.value() == EMFILE || ec.value() == ENFILE || ec.value() == ENOMEM ||
               ec.value() == ENOSPC);
}

void send_signal(child_id child, int signal, error_code& ec) noexcept
{
    ec.clear();
    if (child.pidfd >= 0)
    {
        if (injected_fault("pidfd_send_signal") ||
            ::syscall(SYS_pidfd_send_signal, child.pidfd, signal, nullptr, 0) != 0)
            ec = last_error();
        return;
    }
    if (child.pid <= 0 || check_child(child))
        ec = make_error_code(boost::system::errc::no_such_process);
    else if (::kill(child.pid, signal) != 0)
        ec = last_error();
}

void send_signal_to_group(child_id leader, int signal, error_code& ec) noexcept
{
    constexpr unsigned to_group = 1U << 2; // PIDFD_SIGNAL_PROCESS_GROUP
    ec.clear();
    if (leader.pidfd >= 0 && !injected_fault("pidfd_send_signal"))
    {
        if (::syscall(SYS_pidfd_send_signal, leader.pidfd, signal, nullptr, to_group) == 0)
            return;
        if (errno != EINVAL) // of Linux before 6.9
        {
            ec = last_error();
            return;
        }
    }
    if (leader.pid <= 0 || check_child(leader))
        ec = make_error_code(boost::system::errc::no_such_process);
    else if (::kill(-leader.pid, signal) != 0)
        ec = last_error();
}

process_stage stage_of(int pidfd) noexcept
{
    pollfd look{pidfd, POLLIN, 0};
    if (::poll(&look, 1, 0) <= 0)
        return process_stage::alive;
    return (look.revents & POLLHUP) != 0 ? process_stage::reaped : process_stage::ended;
}

// Older kernels have no call for that.
pid_type pid_of(int pidfd, error_code& ec)
{
    ec.clear();
    std::ifstream about("/proc/self/fdinfo/" + std::to_string(pidfd));
    for (std::string word; about >> word;)
    {
        pid_type pid = 0;
        if (word != "Pid:" || !(about >> pid))
            continue;
        if (pid <= 0)
            ec = error_code(ESRCH, boost::system::system_category());
        return pid;
    }
    ec = error_code(EBADF, boost::system::system_category());
    return 0;
}

std::optional<int> exit_status(int pidfd) noexcept
{
    // Whoever reaps is seen to have done so a moment before the kernel notes the exit.
    for (int tries = 0; tries < 20; ++tries)
    {
        pidfd_information information{};
        information.mask = wants_exit;
        if (injected_fault("ioctl") || ::ioctl(pidfd, get_information, &information) != 0)
            return std::nullopt;
        if ((information.mask & wants_exit) != 0)
            return information.exit_code;
        ::usleep(50);
    }
    return std::nullopt;
}

int make_epoll(error_code& ec) noexcept
{
    ec.clear();
    const int fd = injected_fault("epoll_create1") ? -1 : ::epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        ec = last_error();
    return fd;
}

void epoll_add(int epoll, int fd, std::uint64_t id, error_code& ec) noexcept
{
    // Edge-triggered: what is readable, but cannot be reaped yet, as a child that died while it
    // is traced, does not keep the loop turning.
    add_to_epoll(epoll, fd, id, EPOLLIN | EPOLLET, ec);
}

void epoll_add_priority(int epoll, int fd, std::uint64_t id, error_code& ec) noexcept
{
    add_to_epoll(epoll, fd, id, EPOLLPRI | EPOLLET, ec);
}

void epoll_remove(int epoll, int fd) noexcept
{
    epoll_event unused{};
    ::epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &unused);
}

std::size_t epoll_take(int epoll, std::uint64_t* ids, std::size_t size) noexcept
{
    std::array<epoll_event, 64> events; // NOLINT: filled by the call
    const int room = static_cast<int>(std::min(size, events.size()));
    const int count = ::epoll_wait(epoll, events.data(), room, 0);
    for (int i = 0; i < count; ++i)
        ids[i] = events[static_cast<std::size_t>(i)].data.u64;
    return count < 0 ? 0 : static_cast<std::size_t>(count);
}

void replace_descriptor(int fd) noexcept
{
    const int other = ::epoll_create1(EPOLL_CLOEXEC);
    if (other < 0)
    {
        ::close(fd);
        return;
    }
    ::dup3(other, fd, O_CLOEXEC);
    ::close(other);
}

bool may_use_pidfds() noexcept
{
    const char* const off = std::getenv("LOOPS_NO_PIDFD");
    return off == nullptr || *off == '\0';
}

std::optional<std::string> why_no_pidfds()
{
    probe met{"pidfd_open", {}};
    const int pidfd = open_pidfd(::getpid(), met.ec);
    if (!met.ec)
    {
        met = try_pidfd(pidfd);
        close_descriptor(pidfd);
    }
    if (is_shortage(met.ec))
        return std::nullopt;
    if (!met.ec)
        return std::string();
    return std::string(met.call) + ": " + met.ec.message();
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
