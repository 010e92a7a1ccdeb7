// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/thread_activity.hpp"

#include "platform/linux/cgroup.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

using std::chrono::nanoseconds;

std::string path_of(pid_type thread, const char* file)
{
    return "/proc/self/task/" + std::to_string(thread) + '/' + file;
}

// A file of the kernel's, which gives it in one piece. Empty where it cannot be read.
std::string text_of(const std::string& path)
{
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::optional<nanoseconds> read_clock(clockid_t clock) noexcept
{
    timespec time{};
    if (::clock_gettime(clock, &time) != 0)
        return std::nullopt;
    return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

// The number that the kernel's interface gives to a thread's clock: what pthread_getcpuclockid()
// gives, for whoever has no pthread_t, which may be gone already.
clockid_t cpu_clock_of(pid_type thread) noexcept
{
    constexpr unsigned scheduled_time_of_a_thread = 6;
    return static_cast<clockid_t>(
        (~static_cast<unsigned>(thread) << 3U) | scheduled_time_of_a_thread);
}

// The letter behind the name, which is in brackets and may hold anything.
char state_in(const std::string& stat)
{
    const std::size_t end = stat.rfind(") ");
    return end != std::string::npos && end + 2 < stat.size() ? stat[end + 2] : '?';
}

std::uint64_t number_after(const std::string& text, const char* key)
{
    const std::size_t found = text.find(key);
    return found != std::string::npos
               ? std::strtoull(
                     text.c_str() + found + std::char_traits<char>::length(key), nullptr, 10)
               : 0;
}

} // namespace

pid_type thread_id() noexcept
{
    return static_cast<pid_type>(::syscall(SYS_gettid));
}

thread_usage usage_of_this_thread() noexcept
{
    rusage usage{}; // its times are up to a tick of the scheduler old
    ::getrusage(RUSAGE_THREAD, &usage);
    return {cpu_time_of_this_thread(), static_cast<std::uint64_t>(usage.ru_nvcsw)};
}

nanoseconds cpu_time_of_this_thread() noexcept
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID).value_or(nanoseconds(0));
}

std::optional<thread_usage> usage_of(pid_type thread)
{
    const auto cpu = read_clock(cpu_clock_of(thread));
    if (!cpu)
        return std::nullopt;
    return thread_usage{
        *cpu, number_after(text_of(path_of(thread, "status")), "\nvoluntary_ctxt_switches:")};
}

std::optional<thread_activity> look_at(pid_type thread)
{
    const auto used = usage_of(thread);
    if (!used)
        return std::nullopt;
    thread_activity found;
    found.used = *used;
    nanoseconds::rep ran = 0;
    nanoseconds::rep waited = 0;
    if (std::ifstream(path_of(thread, "schedstat")) >> ran >> waited)
        found.waited = nanoseconds(waited);
    found.runnable = state_in(text_of(path_of(thread, "stat"))) == 'R';
    // "running", or the number, -1 where it sleeps in no call.
    long number = -1;
    if (!found.runnable && std::ifstream(path_of(thread, "syscall")) >> number && number >= 0)
        found.system_call = number;
    return found;
}

std::string name_of_thread(pid_type thread)
{
    std::string name = text_of(path_of(thread, "comm"));
    if (!name.empty() && name.back() == '\n')
        name.pop_back();
    return name;
}

std::uint64_t times_throttled()
{
    std::uint64_t most = 0;
    each_cpu_group([&](const std::string& folder) {
        most =
            std::max(most, number_after('\n' + text_of(folder + "/cpu.stat"), "\nnr_throttled "));
    });
    return most;
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
