// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "facts.hpp"

#include <loops/backend.hpp>
#include <loops/child_watcher.hpp>
#include <loops/policy.hpp>
#include <loops/process/cgroup_scope.hpp>
#include <loops/version.hpp>
#include <loops/watcher/default_child_watcher.hpp>

#include "platform/linux/cgroup.hpp"
#include "platform/linux/pidfd.hpp"
#include "platform/posix/descriptor.hpp"
#include "platform/pressure.hpp"
#include "platform/system.hpp"

#include <boost/version.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <limits>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace loops_info {
namespace {

namespace platform = loops::platform;

// A child that has ended and was reaped: is it told how?
std::string why_no_exit_information()
{
    constexpr int code = 7;
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(code);
    if (child < 0)
        return std::string("fork: ") + std::strerror(errno);
    loops::error_code ec;
    const int pidfd = platform::open_pidfd(child, ec);
    ::waitpid(child, nullptr, 0);
    const auto told = ec ? std::nullopt : platform::exit_status(pidfd);
    platform::close_descriptor(pidfd);
    if (ec)
        return "pidfd_open: " + ec.message();
    return told == W_EXITCODE(code, 0) ? "" : "the kernel does not tell it: Linux 6.15 does";
}

std::string why_no_pressure()
{
    loops::error_code ec;
    platform::close_descriptor(platform::open_memory_pressure(ec));
    return ec ? "/proc/pressure/memory: " + ec.message() : "";
}

// By the number of the call, which is the same everywhere: no header of liburing is needed.
std::string why_no_io_uring()
{
    constexpr long setup = 425;
    alignas(8) unsigned char parameters[120] = {};
    const long ring = ::syscall(setup, 2, parameters);
    if (ring < 0)
        return std::string("io_uring_setup: ") + std::strerror(errno);
    platform::close_descriptor(static_cast<int>(ring));
    return "";
}

std::vector<feature> find_features()
{
    const auto no_pidfds = platform::why_no_pidfds();
    return {
        {"pidfd", "watching children without signals and threads",
            no_pidfds ? *no_pidfds : "it cannot be told now, for want of a descriptor or memory"},
        {"PIDFD_GET_INFO", "the true status where somebody else has reaped",
            why_no_exit_information()},
        {"cgroup.kill", "ending whole trees of processes",
            loops::cgroup_scope::why_unsupported().value_or("")},
        {"pressure", "looking at processes when memory is short", why_no_pressure()},
        {"io_uring", "builds with asio-backend=io_uring", why_no_io_uring()},
    };
}

std::optional<std::uint64_t> number_in(const std::string& path)
{
    std::ifstream file(path);
    std::uint64_t number = 0;
    return file >> number ? std::optional(number) : std::nullopt;
}

std::optional<std::uint64_t> resource(__rlimit_resource which)
{
    rlimit found{};
    if (::getrlimit(which, &found) != 0 || found.rlim_cur == RLIM_INFINITY)
        return std::nullopt;
    return found.rlim_cur;
}

std::vector<limit> find_limits()
{
    std::vector<limit> all = {
        {"descriptors", resource(RLIMIT_NOFILE), "ulimit -n"},
        {"processes", resource(RLIMIT_NPROC), "ulimit -u"},
    };
    // What cannot be read is not listed: it is not known to be without limit.
    const auto add = [&](const std::string& name, const std::string& sysctl) {
        std::string file = "/proc/sys/" + sysctl;
        std::replace(file.begin(), file.end(), '.', '/');
        if (const auto value = number_in(file))
            all.push_back({name, value, sysctl});
    };
    add("process numbers", "kernel.pid_max");
    add("inotify watches", "fs.inotify.max_user_watches");
    add("inotify instances", "fs.inotify.max_user_instances");
    add("listen backlog", "net.core.somaxconn");
    // The least of all groups that one is in, which are the folders above.
    std::optional<limit> least;
    const std::string mount = "/sys/fs/cgroup";
    for (std::string group = platform::own_cgroup(); group.rfind(mount, 0) == 0;
         group.erase(group.rfind('/')))
    {
        const std::string file = group + "/pids.max";
        const auto value = number_in(file);
        if (std::ifstream(file) && (!least || (value && (!least->value || *value < *least->value))))
            least = {"processes of the cgroup", value, file};
    }
    if (least)
        all.push_back(*least);
    return all;
}

std::vector<std::string> find_warnings(const facts& from)
{
    constexpr std::uint64_t few = 4096;
    std::vector<std::string> all;
    for (const limit& each : from.limits)
    {
        if (each.name == "descriptors" && each.value.value_or(few) < few)
            all.push_back("at most " + std::to_string(*each.value) +
                          " descriptors, of which a connection takes one, and a child one: raise " +
                          each.source);
        if (each.name.rfind("processes", 0) == 0 && each.value.value_or(few) < few)
            all.push_back("at most " + std::to_string(*each.value) +
                          " processes and threads: see " + each.source);
    }
    if (from.asio_backend == "select")
        all.emplace_back("Asio waits by select, for descriptors below 1024 only");
    if (from.cpu_quota && *from.cpu_quota < static_cast<double>(from.allowed_cpus.size()))
        all.push_back("threads get " + std::to_string(*from.cpu_quota) + " CPUs together, of " +
                      std::to_string(from.allowed_cpus.size()) +
                      ": who runs more of them than that waits");
    return all;
}

} // namespace

facts find_facts()
{
    facts found;
    found.version = LOOPS_VERSION_STRING;
    found.boost_version = std::to_string(BOOST_VERSION / 100000) + '.' +
                          std::to_string(BOOST_VERSION / 100 % 1000) + '.' +
                          std::to_string(BOOST_VERSION % 100);
    found.asio_backend = loops::to_string(loops::backend());
    found.compiler = BOOST_COMPILER;
    found.cxx_standard = __cplusplus;
    found.allowed_cpus = platform::allowed_cpus();
    found.cpu_quota = platform::cpu_quota();
    found.parallelism = loops::available_parallelism();
    const char* const words = std::getenv("LOOPS_POLICY"); // NOLINT(concurrency-mt-unsafe)
    found.policy_source = words != nullptr ? std::string("LOOPS_POLICY=") + words : "none was set";
    try
    {
        found.policy = loops::get_event_loop_policy()->name();
    }
    catch (const std::exception& e)
    {
        found.warnings.emplace_back(e.what());
    }
    const auto choice = loops::choose_child_watcher();
    found.watcher = choice.watcher->name();
    found.watcher_reason = choice.reason;
    found.features = find_features();
    found.limits = find_limits();
    const auto more = find_warnings(found);
    found.warnings.insert(found.warnings.end(), more.begin(), more.end());
    return found;
}

} // namespace loops_info
