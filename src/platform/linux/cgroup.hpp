// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_LINUX_CGROUP_HPP
#define LOOPS_SRC_PLATFORM_LINUX_CGROUP_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include <chrono>
#include <functional>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// Calls `visit` with the folder of each control group that shares out CPUs to this process: its own,
/// and those above, whose limits hold too; in the hierarchies of version 2 and of version 1.
void each_cpu_group(const std::function<void(const std::string& folder)>& visit);

/// The folder of this process's cgroup of version 2; empty where that is not mounted.
std::string own_cgroup();

/// Makes a cgroup below another one, and gives its folder, which no other one had.
std::string make_cgroup(const std::string& parent, error_code& ec);

/// Removes a cgroup. It must have no processes.
void remove_cgroup(const std::string& folder, error_code& ec) noexcept;

/// Removes it with those below it, as far as that can be done.
void remove_cgroups(const std::string& folder) noexcept;

/// Writes one of a cgroup's files.
void write_cgroup(
    const std::string& folder, const char* file, const std::string& text, error_code& ec) noexcept;

/// Opens `cgroup.events`, close-on-exec. It has priority data when it may have changed since it was last
/// read.
int open_cgroup_events(const std::string& folder, error_code& ec) noexcept;

/// Whether that cgroup has processes, or one below it has. A cgroup that was removed has none.
bool is_populated(int events) noexcept;

/// Waits for a change of that, for so long.
void wait_for_cgroup_event(int events, std::chrono::milliseconds most) noexcept;

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
