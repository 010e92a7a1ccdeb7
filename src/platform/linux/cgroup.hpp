// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_LINUX_CGROUP_HPP
#define LOOPS_SRC_PLATFORM_LINUX_CGROUP_HPP

#include <loops/config.hpp>

#include <functional>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// Calls `visit` with the folder of each control group that shares out CPUs to this process: its own,
/// and those above, whose limits hold too; in the hierarchies of version 2 and of version 1.
void each_cpu_group(const std::function<void(const std::string& folder)>& visit);

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
