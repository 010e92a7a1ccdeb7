// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_LINUX_SPAWN_HPP
#define LOOPS_SRC_PLATFORM_LINUX_SPAWN_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include <cstddef>

#include <sys/resource.h>
#include <sys/types.h>

// Starting a program in a new process, by a clone that shares the parent's memory until then: what that
// costs does not grow with the memory.

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// What a descriptor of the child's is: a copy of one of the parent's, or /dev/null.
struct planned_descriptor
{
    static constexpr int null_device = -1;

    int number = 0;
    int from = 0;
};

struct planned_limit
{
    int resource = 0;
    rlimit values{};
};

struct planned_user
{
    uid_t user = 0;
    gid_t group = 0;
    const gid_t* groups = nullptr;
    std::size_t group_count = 0;
};

/// All that a child does before it is its program. The parent lays it out, since nothing may be allocated in
/// the child. Pointers are to stay what they are until spawn() returns.
struct spawn_plan
{
    /// The files that are tried, one after the other; null is the end.
    const char* const* programs = nullptr;
    const char* const* arguments = nullptr;
    const char* const* environment = nullptr;
    /// By ascending number; the child has no others. It may change what they are copied from.
    planned_descriptor* descriptors = nullptr;
    std::size_t descriptor_count = 0;
    const char* directory = nullptr;
    bool new_session = false;
    /// Below 0: the parent's; 0: one of its own.
    pid_t process_group = -1;
    const planned_user* user = nullptr;
    const planned_limit* limits = nullptr;
    std::size_t limit_count = 0;
    /// Below 0: the parent's.
    int umask = -1;
    int parent_death_signal = 0;
    /// An open `cgroup.procs`, to be written to; below 0: the parent's cgroup.
    int cgroup = -1;
    /// Called in the child instead of what `descriptors` tells, with `context`; gives an errno. It must not
    /// allocate, and of the parent's descriptors it uses and leaves open none above `setup_highest`.
    int (*setup)(void* context) = nullptr;
    void* context = nullptr;
    int setup_highest = -1;
};

struct spawned
{
    pid_type pid = 0;
    /// Of the parent, close-on-exec; below 0 where it cannot be had.
    int pidfd = -1;
};

/// Starts a program: signals at their defaults, and none blocked. Where that fails there is no process, and
/// no SIGCHLD for one.
spawned spawn(spawn_plan& plan, error_code& ec) noexcept;

/// Closes all descriptors but those, which ascend.
void close_all_but(const int* kept, std::size_t count) noexcept;

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
