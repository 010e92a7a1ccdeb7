// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/process_usage.hpp"

#include "platform/fault.hpp"
#include "platform/last_error.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <system_error>

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

std::string path_of(pid_type pid, const char* file)
{
    return "/proc/" + std::to_string(pid) + '/' + file;
}

} // namespace

std::optional<process_usage> usage_of_process(pid_type pid)
{
    // proc_pid_stat(5): the name, in brackets, may hold anything; after it the state is the third field.
    constexpr int threads_field = 20;
    constexpr int resident_field = 24;
    std::string text;
    std::ifstream file(path_of(pid, "stat"));
    std::getline(file, text, '\0'); // a name may hold the end of a line
    const std::size_t name_end = text.rfind(") ");
    clockid_t clock{};
    timespec cpu{};
    if (name_end == std::string::npos || ::clock_getcpuclockid(pid, &clock) != 0 ||
        ::clock_gettime(clock, &cpu) != 0)
        return std::nullopt;
    std::istringstream fields(text.substr(name_end + 2));
    process_usage found;
    found.cpu_time = std::chrono::seconds(cpu.tv_sec) + std::chrono::nanoseconds(cpu.tv_nsec);
    std::string field;
    for (int number = 3; number <= resident_field && fields >> field; ++number)
    {
        if (number == threads_field)
            found.threads = std::stoul(field);
        if (number == resident_field)
            found.resident_memory =
                std::stoull(field) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    }
    return found;
}

std::size_t count_descriptors(pid_type pid, error_code& ec)
{
    ec.clear();
    const std::string path = path_of(pid, "fd");
    struct stat about
    {};
    if (injected_fault("stat") || ::stat(path.c_str(), &about) != 0)
    {
        ec = last_error();
        return 0;
    }
    if (about.st_size > 0) // Linux 6.2
        return static_cast<std::size_t>(about.st_size);
    std::error_code system;
    const std::filesystem::directory_iterator all(path, system);
    if (system)
        ec = error_code(system.value(), boost::system::system_category());
    return system ? 0 : static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
