// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_PROCESS_PROCESS_TREE_HPP
#define LOOPS_PROCESS_PROCESS_TREE_HPP

#include <loops/config.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {

/// What the processes of a cgroup may use together. See the kernel's `cgroup-v2.rst`.
struct cgroup_limits
{
    /// Bytes of memory, swap excepted: `memory.max`.
    std::optional<std::uint64_t> memory;
    /// CPUs' time, as 0.5 for half of one: `cpu.max`, in periods of 100 ms. Above 0, at most
    /// 1,000,000: else `invalid_argument`.
    std::optional<double> cpus;
    /// Processes and threads: `pids.max`.
    std::optional<std::uint64_t> processes;

    /// Whether there is none.
    bool empty() const noexcept { return !memory && !cpus && !processes; }
};

/// What is ended with a process.
enum class process_tree
{
    /// The process alone.
    process,
    /// Its process group, which it leads. What it starts can leave that. What is left of the group when a
    /// process that was stopped has ended is killed; after one that ended by itself it lives on.
    group,
    /// All that it starts, which nothing can leave: it has a cgroup (version 2) of its own. When it has ended, by
    /// itself or stopped, what is left is killed, and its end is told when there is nothing left. It leads a group as well, and
    /// where no cgroup can be made, that is all: see cgroup_scope::why_unsupported().
    cgroup
};

/// How a process and what it starts hang together.
struct tree_options
{
    /// What holds them together.
    process_tree kind = process_tree::group;
    /// With process_tree::cgroup: what they may use. Where that cannot be set, nothing is started.
    cgroup_limits limits;
    /// The folder of the cgroup that theirs is made in; empty: this process's own. Limits want one whose
    /// controllers are delegated, and that has no processes itself.
    std::string parent;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
