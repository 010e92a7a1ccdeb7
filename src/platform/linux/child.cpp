// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/linux/child.hpp"

#include "platform/fault.hpp"
#include "platform/last_error.hpp"
#include "platform/linux/pidfd.hpp"
#include "platform/posix/descriptor.hpp"
#include "platform/wait_status.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

constexpr int id_is_pidfd = 3; // P_PIDFD, which older headers lack

// The system call itself: the library's waitid() does not give what the child used. __WALL:
// whatever signal the child sends when it ends: clone() may have been told another than SIGCHLD, or
// none.
int wait_id(
    int type, int id, siginfo_t& info, int options, rusage* usage, std::uint64_t birth = 0) noexcept
{
    for (;;)
    {
        info.si_pid = 0;
        if (auto* const fake = detail::children_hook.load(std::memory_order_acquire))
        {
            if (fake->wait(type, id, birth, info, options) == 0)
                return 0;
        }
        else if (!injected_fault("waitid") &&
                 ::syscall(SYS_waitid, type, id, &info, options | __WALL, usage) == 0)
        {
            return 0;
        }
        if (errno != EINTR)
            return -1;
    }
}

int wait_child(child_id child, siginfo_t& info, int options, rusage* usage = nullptr,
    std::uint64_t birth = 0) noexcept
{
    const bool by_number = child.pidfd < 0;
    return wait_id(by_number ? static_cast<int>(P_PID) : id_is_pidfd,
        by_number ? static_cast<int>(child.pid) : child.pidfd, info, options | WNOHANG, usage,
        birth);
}

// As waitpid() would have coded it.
int native_status(const siginfo_t& info) noexcept
{
    switch (info.si_code)
    {
    case CLD_EXITED: return wait_status::of_exit(info.si_status);
    case CLD_DUMPED: return info.si_status | wait_status::core_bit;
    case CLD_CONTINUED: return wait_status::went_on;
    case CLD_STOPPED:
    case CLD_TRAPPED: return wait_status::of_stop(info.si_status);
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

// Whether pidfds live in a file system of their own, where a process has one inode as long as the
// machine runs: Linux 6.9.
bool numbers_pidfds(int pidfd) noexcept
{
    constexpr long pid_file_system = 0x50494446; // PID_FS_MAGIC
    static const bool does = [&] {
        struct statfs file_system = {};
        return ::fstatfs(pidfd, &file_system) == 0 && file_system.f_type == pid_file_system;
    }();
    return does;
}

// A descriptor for a moment; below 0 where there can be none.
class brief_pidfd
{
public:
    explicit brief_pidfd(pid_type pid) noexcept
    {
        // Once: whoever changes the environment meanwhile would change it under our threads.
        static const bool may = may_use_pidfds();
        if (may)
            it_ = open_pidfd(pid, ec_);
    }
    brief_pidfd(const brief_pidfd&) = delete;
    brief_pidfd& operator=(const brief_pidfd&) = delete;
    ~brief_pidfd() { close_descriptor(it_); }

    int get() const noexcept { return it_; }
    bool is_of_no_process() const noexcept { return is_no_process(ec_); }

    std::optional<std::uint64_t> inode() const noexcept
    {
        struct stat status = {};
        if (it_ < 0 || !numbers_pidfds(it_) || ::fstat(it_, &status) != 0)
            return std::nullopt;
        return status.st_ino;
    }

private:
    int it_ = -1;
    error_code ec_;
};

std::optional<std::uint64_t> inode_of(pid_type pid) noexcept
{
    if (auto* const fake = detail::children_hook.load(std::memory_order_acquire))
        return fake->birth(pid);
    return brief_pidfd(pid).inode();
}

// In clock ticks since the machine was started.
std::optional<std::uint64_t> start_time_of(pid_type pid) noexcept
{
    std::array<char, 512> text{};
    std::snprintf(text.data(), text.size(), "/proc/%d/stat", static_cast<int>(pid));
    const int file = ::open(text.data(), O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return std::nullopt;
    const auto size = ::read(file, text.data(), text.size() - 1);
    ::close(file);
    if (size <= 0)
        return std::nullopt;
    text[static_cast<std::size_t>(size)] = '\0';
    // The name in parentheses may hold anything; the time is the twentieth word behind it.
    const char* at = std::strrchr(text.data(), ')');
    for (int word = 0; at != nullptr && word < 20; ++word)
        at = std::strchr(at + 1, ' ');
    std::uint64_t time = 0;
    if (at == nullptr || std::sscanf(at, "%" SCNu64, &time) != 1)
        return std::nullopt;
    return time;
}

// Those that one thread started, or inherited of another; none where it has ended meanwhile.
bool add_children_of(const char* thread, std::vector<pid_type>& pids)
{
    std::array<char, 4096> text{};
    std::snprintf(text.data(), text.size(), "/proc/self/task/%.20s/children", thread);
    const int file = ::open(text.data(), O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT && ::access("/proc/thread-self/children", R_OK) == 0;
    const std::unique_ptr<const int, void (*)(const int*)> closed(
        &file, [](const int* it) { ::close(*it); });
    pid_type number = 0;
    ssize_t size = 0;
    while ((size = ::read(file, text.data(), text.size())) > 0)
    {
        for (const char* at = text.data(); at != text.data() + size; ++at)
        {
            if (*at != ' ')
                number = number * 10 + (*at - '0');
            else
                pids.push_back(std::exchange(number, 0));
        }
    }
    return size == 0;
}

std::optional<child_exit> reap(child_id child, std::uint64_t birth, error_code& ec) noexcept
{
    ec.clear();
    siginfo_t info{};
    rusage usage{};
    if (wait_child(child, info, WEXITED, &usage, birth) != 0)
    {
        ec = last_error();
        return std::nullopt;
    }
    if (info.si_pid == 0)
        return std::nullopt;
    return child_exit(child.pid, native_status(info), to_usage(usage));
}

} // namespace

process_birth birth_of(pid_type pid) noexcept
{
    if (const auto inode = inode_of(pid))
        return {process_birth::source::inode, *inode};
    if (const auto time = start_time_of(pid))
        return {process_birth::source::start_time, *time};
    return {};
}

bool has_birth(pid_type pid, const process_birth& birth) noexcept
{
    std::optional<std::uint64_t> now;
    if (birth.from == process_birth::source::inode)
        now = inode_of(pid);
    else if (birth.from == process_birth::source::start_time)
        now = start_time_of(pid);
    return !now || *now == birth.value;
}

error_code check_child(child_id child) noexcept
{
    error_code ec;
    is_dead(child, ec);
    return ec;
}

bool is_dead(child_id child, error_code& ec) noexcept
{
    ec.clear();
    siginfo_t info{};
    if (wait_child(child, info, WEXITED | WNOWAIT) != 0)
    {
        ec = last_error();
        return false;
    }
    return info.si_pid != 0;
}

std::optional<child_exit> peek_at_child(child_id child) noexcept
{
    siginfo_t info{};
    rusage usage{};
    if (wait_child(child, info, WEXITED | WNOWAIT, &usage) != 0 || info.si_pid == 0)
        return std::nullopt;
    return child_exit(child.pid, native_status(info), to_usage(usage));
}

std::optional<child_exit> reap_child(child_id child, error_code& ec) noexcept
{
    return reap(child, 0, ec);
}

std::optional<child_exit> reap_child(
    pid_type pid, const process_birth& birth, error_code& ec) noexcept
{
    ec = make_error_code(boost::system::errc::no_child_process);
    if (birth.from != process_birth::source::inode)
        return has_birth(pid, birth) ? reap({pid, -1}, 0, ec) : std::nullopt;
    if (detail::children_hook.load(std::memory_order_acquire) != nullptr)
        return reap({pid, -1}, birth.value, ec);
    // By a descriptor, which stays that process's, whoever has the number.
    const brief_pidfd pidfd(pid);
    if (pidfd.is_of_no_process() || pidfd.inode().value_or(birth.value) != birth.value)
        return std::nullopt;
    return reap({pid, pidfd.get()}, 0, ec);
}

void wait_for(child_id child) noexcept
{
    siginfo_t info{};
    const bool by_number = child.pidfd < 0;
    wait_id(by_number ? static_cast<int>(P_PID) : id_is_pidfd,
        by_number ? static_cast<int>(child.pid) : child.pidfd, info, WEXITED, nullptr);
}

std::optional<int> take_state(child_id child) noexcept
{
    siginfo_t info{};
    if (wait_child(child, info, WSTOPPED | WCONTINUED) != 0 || info.si_pid == 0)
        return std::nullopt;
    return native_status(info);
}

std::optional<pid_type> any_dead_child() noexcept
{
    siginfo_t info{};
    if (wait_id(P_ALL, 0, info, WEXITED | WNOWAIT | WNOHANG, nullptr) != 0 || info.si_pid == 0)
        return std::nullopt;
    return info.si_pid;
}

bool list_children(std::vector<pid_type>& pids) noexcept
{
    pids.clear();
    if (detail::children_hook.load(std::memory_order_acquire) != nullptr)
        return false;
    const std::unique_ptr<DIR, int (*)(DIR*)> threads(::opendir("/proc/self/task"), &::closedir);
    if (!threads)
        return false;
    try
    {
        while (const dirent* const thread = ::readdir(threads.get()))
        {
            if (thread->d_name[0] != '.' && !add_children_of(thread->d_name, pids))
                return false;
        }
    }
    catch (const std::bad_alloc&)
    {
        return false;
    }
    std::sort(pids.begin(), pids.end());
    return true;
}

std::optional<pid_type> wait_for_any() noexcept
{
    siginfo_t info{};
    if (wait_id(P_ALL, 0, info, WEXITED | WNOWAIT, nullptr) != 0)
        return std::nullopt;
    return info.si_pid;
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
