// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/linux/cgroup.hpp"

#include "platform/fault.hpp"
#include "platform/last_error.hpp"
#include "platform/posix/descriptor.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

// The path of this process in the hierarchy of `controller` (empty: version 2's).
std::optional<std::string> cgroup_path(const std::string& controller)
{
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);)
    {
        const auto first = line.find(':');
        const auto second = line.find(':', first + 1);
        if (second == std::string::npos)
            continue;
        const std::string names = ',' + line.substr(first + 1, second - first - 1) + ',';
        const std::string wanted = controller.empty() ? ",," : ',' + controller + ',';
        if (names == wanted || (!controller.empty() && names.find(wanted) != std::string::npos))
            return line.substr(second + 1);
    }
    return std::nullopt;
}

// Where the hierarchy of version 2 is mounted; empty: nowhere. Fields as in proc(5): the fifth is the place,
// the type comes after a lone hyphen.
std::string unified_mount()
{
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);)
    {
        std::istringstream text(line);
        const std::vector<std::string> fields{std::istream_iterator<std::string>(text), {}};
        const auto hyphen = std::find(fields.begin(), fields.end(), "-");
        if (fields.size() > 5 && std::distance(hyphen, fields.end()) > 1 && hyphen[1] == "cgroup2")
            return fields[4];
    }
    return {};
}

// Without the memory for a path.
int open_in(const std::string& folder, const char* file, int how, error_code& ec) noexcept
{
    const int at = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    const int fd = at < 0 ? -1 : ::openat(at, file, how | O_CLOEXEC);
    ec = fd < 0 ? last_error() : error_code();
    close_descriptor(at);
    return fd;
}

} // namespace

void each_cpu_group(const std::function<void(const std::string& folder)>& visit)
{
    const std::pair<std::string, std::string> hierarchies[] = {
        {"", "/sys/fs/cgroup"}, {"cpu", "/sys/fs/cgroup/cpu"}};
    for (const auto& [controller, mount] : hierarchies)
    {
        auto path = cgroup_path(controller);
        while (path)
        {
            visit(*path == "/" ? mount : mount + *path);
            if (path->empty() || *path == "/")
                break;
            path->resize(path->rfind('/'));
        }
    }
}

std::string own_cgroup()
{
    const std::string mount = unified_mount();
    const auto path = cgroup_path({});
    if (mount.empty() || !path)
        return {};
    return *path == "/" ? mount : mount + *path;
}

std::string make_cgroup(const std::string& parent, error_code& ec)
{
    static std::atomic<unsigned> count{0};
    constexpr int most_tries = 1000; // names that a process with our number left
    for (int tried = 0; tried != most_tries; ++tried)
    {
        std::string folder =
            parent + "/loops-" + std::to_string(::getpid()) + '-' + std::to_string(++count);
        if (!injected_fault("mkdir") && ::mkdir(folder.c_str(), 0755) == 0)
        {
            ec.clear();
            return folder;
        }
        ec = last_error();
        if (errno != EEXIST)
            break;
    }
    return {};
}

void remove_cgroup(const std::string& folder, error_code& ec) noexcept
{
    ec = ::rmdir(folder.c_str()) == 0 ? error_code() : last_error();
}

void remove_cgroups(const std::string& folder) noexcept
{
    try
    {
        error_code ignored;
        std::error_code ec;
        // Depth first: what is below one is removed before it.
        for (std::filesystem::directory_iterator each(folder, ec), end; !ec && each != end;
             each.increment(ec))
        {
            std::error_code none;
            if (each->is_directory(none))
                remove_cgroups(each->path().string());
        }
        remove_cgroup(folder, ignored);
    }
    catch (...) // for want of memory they stay
    {}
}

void write_cgroup(
    const std::string& folder, const char* file, const std::string& text, error_code& ec) noexcept
{
    const int fd = open_in(folder, file, O_WRONLY, ec);
    if (!ec && ::write(fd, text.data(), text.size()) < 0)
        ec = last_error();
    close_descriptor(fd);
}

int open_cgroup_events(const std::string& folder, error_code& ec) noexcept
{
    return open_in(folder, "cgroup.events", O_RDONLY, ec);
}

bool is_populated(int events) noexcept
{
    std::array<char, 256> text{};
    const ::ssize_t size = ::pread(events, text.data(), text.size(), 0);
    const std::string_view read(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    return read.find("populated 1") != std::string_view::npos;
}

void wait_for_cgroup_event(int events, std::chrono::milliseconds most) noexcept
{
    ::pollfd it{events, POLLPRI, 0};
    ::poll(&it, 1, static_cast<int>(most.count()));
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
