// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/linux/cgroup.hpp"

#include <fstream>
#include <optional>
#include <utility>

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

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
