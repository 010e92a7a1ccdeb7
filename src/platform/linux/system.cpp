// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/system.hpp"

#include "platform/linux/cgroup.hpp"
#include "platform/thread_activity.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

// The kernel refuses a mask smaller than the machine's; sizes are doubled until it fits.
constexpr int most_cpus = 1 << 16;

std::optional<double> quota_v2(const std::string& folder)
{
    std::ifstream file(folder + "/cpu.max");
    double quota = 0;
    double period = 0;
    if (file >> quota >> period && quota > 0 && period > 0)
        return quota / period;
    return std::nullopt; // "max 100000": the first word is no number
}

std::optional<double> quota_v1(const std::string& folder)
{
    std::ifstream quota_file(folder + "/cpu.cfs_quota_us");
    std::ifstream period_file(folder + "/cpu.cfs_period_us");
    double quota = 0;
    double period = 0;
    if (quota_file >> quota && period_file >> period && quota > 0 && period > 0)
        return quota / period;
    return std::nullopt;
}

} // namespace

bool on_main_thread() noexcept
{
    return thread_id() == ::getpid();
}

std::string describe_thread()
{
    char name[16] = {};
    pthread_getname_np(pthread_self(), name, sizeof name);
    std::ostringstream out;
    out << "thread '" << name << "' (" << thread_id() << ')';
    return out.str();
}

void name_thread(const std::string& name) noexcept
{
    // The kernel keeps 15 characters. Of a longer name the end stays, which tells threads of one
    // pool from each other, and as much of the beginning as there is room for.
    constexpr std::size_t most = 15;
    std::string cut = name;
    if (cut.size() > most)
    {
        const std::size_t dash = std::min(cut.rfind('-'), cut.size());
        const std::string end = cut.substr(std::max(dash, cut.size() - most));
        cut = cut.substr(0, most - end.size()) + end;
    }
    pthread_setname_np(pthread_self(), cut.c_str());
}

std::vector<unsigned> allowed_cpus()
{
    std::vector<unsigned> cpus;
    for (int size = CPU_SETSIZE; size <= most_cpus; size *= 2)
    {
        cpu_set_t* const set = CPU_ALLOC(size);
        if (set == nullptr)
            return cpus;
        const std::size_t bytes = CPU_ALLOC_SIZE(size);
        CPU_ZERO_S(bytes, set);
        const bool read = sched_getaffinity(0, bytes, set) == 0;
        for (unsigned cpu = 0; read && cpu < static_cast<unsigned>(size); ++cpu)
        {
            if (CPU_ISSET_S(cpu, bytes, set))
                cpus.push_back(cpu);
        }
        CPU_FREE(set);
        if (read || errno != EINVAL)
            return cpus;
    }
    return cpus;
}

void pin_thread(unsigned cpu)
{
    const int size = static_cast<int>(cpu) + 1;
    cpu_set_t* const set = CPU_ALLOC(size);
    const std::size_t bytes = CPU_ALLOC_SIZE(size);
    int code = ENOMEM;
    if (set != nullptr)
    {
        CPU_ZERO_S(bytes, set);
        CPU_SET_S(cpu, bytes, set);
        code = sched_setaffinity(0, bytes, set) == 0 ? 0 : errno;
        CPU_FREE(set);
    }
    if (code != 0)
    {
        throw boost::system::system_error(code, boost::system::system_category(),
            "pinning " + describe_thread() + " to CPU " + std::to_string(cpu));
    }
}

std::optional<double> cpu_quota()
{
    std::optional<double> found;
    each_cpu_group([&](const std::string& folder) {
        for (const auto& here : {quota_v2(folder), quota_v1(folder)})
        {
            if (here && (!found || *here < *found))
                found = here;
        }
    });
    return found;
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
