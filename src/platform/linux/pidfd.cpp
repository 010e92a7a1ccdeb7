// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/linux/pidfd.hpp"

#include "platform/fault.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

constexpr int id_is_pidfd = 3; // P_PIDFD, which older headers lack as well

error_code last_error() noexcept
{
    return error_code(errno, boost::system::system_category());
}

// The system call itself: the library's waitid() does not give what the child used.
int wait_pidfd(int pidfd, siginfo_t& info, int options, rusage* usage) noexcept
{
    if (injected_fault("waitid"))
        return -1;
    info.si_pid = 0;
    // Whatever signal the child sends when it ends: clone() may have been told another than SIGCHLD,
    // or none.
    return static_cast<int>(
        ::syscall(SYS_waitid, id_is_pidfd, pidfd, &info, options | WNOHANG | __WALL, usage));
}

// As waitpid() would have coded it.
int native_status(const siginfo_t& info) noexcept
{
    constexpr int core_flag = 0x80;
    switch (info.si_code)
    {
    case CLD_EXITED: return (info.si_status & 0xff) << 8;
    case CLD_DUMPED: return info.si_status | core_flag;
    default: return info.si_status;
    }
}

std::chrono::microseconds to_duration(const timeval& time) noexcept
{
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

resource_usage to_usage(const rusage& raw) noexcept
{
    resource_usage usage;
    usage.user = to_duration(raw.ru_utime);
    usage.system = to_duration(raw.ru_stime);
    usage.max_resident_kib = raw.ru_maxrss;
    usage.minor_faults = raw.ru_minflt;
    usage.major_faults = raw.ru_majflt;
    usage.voluntary_switches = raw.ru_nvcsw;
    usage.involuntary_switches = raw.ru_nivcsw;
    return usage;
}

// An error that may be gone the next time, and says nothing about what the kernel can do.
bool is_shortage(const error_code& ec) noexcept
{
    return ec.value() == EMFILE || ec.value() == ENFILE || ec.value() == ENOMEM ||
           ec.value() == ENOSPC;
}

error_code try_pidfd(int pidfd) noexcept
{
    // Not a child of itself: a kernel that knows P_PIDFD says so, an older one EINVAL.
    const error_code child = check_child(pidfd);
    if (child != boost::system::errc::no_child_process)
        return child ? child : make_error_code(boost::system::errc::not_supported);
    if (injected_fault("pidfd_send_signal") ||
        ::syscall(SYS_pidfd_send_signal, pidfd, 0, nullptr, 0) != 0)
        return last_error();
    error_code ec;
    const int epoll = make_epoll(ec);
    if (ec)
        return ec;
    epoll_add(epoll, pidfd, 1, ec);
    close_descriptor(epoll);
    return ec;
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

error_code check_child(int pidfd) noexcept
{
    siginfo_t info{};
    if (wait_pidfd(pidfd, info, WEXITED | WNOWAIT, nullptr) != 0)
        return last_error();
    return {};
}

std::optional<child_exit> reap_child(int pidfd, pid_type pid, error_code& ec) noexcept
{
    ec.clear();
    siginfo_t info{};
    rusage usage{};
    if (wait_pidfd(pidfd, info, WEXITED, &usage) != 0)
    {
        ec = last_error();
        return std::nullopt;
    }
    if (info.si_pid == 0)
        return std::nullopt;
    return child_exit(pid, native_status(info), to_usage(usage));
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
    ec.clear();
    epoll_event event{};
    // Edge-triggered: what is readable, but cannot be reaped yet, as a child that died while it
    // is traced, does not keep the loop turning.
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = id;
    if (injected_fault("epoll_ctl") || ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        ec = last_error();
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

void close_descriptor(int fd) noexcept
{
    if (fd >= 0)
        ::close(fd);
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

bool pidfds_work() noexcept
{
    error_code ec;
    const int pidfd = open_pidfd(::getpid(), ec);
    if (!ec)
    {
        ec = try_pidfd(pidfd);
        close_descriptor(pidfd);
    }
    return !ec || is_shortage(ec);
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
