// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_LINUX_CHILD_HPP
#define LOOPS_SRC_PLATFORM_LINUX_CHILD_HPP

#include <loops/child_exit.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>

#include <cstdint>
#include <optional>
#include <vector>

// The system calls that wait for children. None blocks but wait_for_any().

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// A child by its pidfd, or, where there is none, by its number.
struct child_id
{
    pid_type pid = 0;
    int pidfd = -1;
};

/// What tells a process from a later one with the same number: the inode of its pidfds where the
/// kernel numbers those, else when it was started; nothing where neither can be had.
struct process_birth
{
    enum class source : unsigned char
    {
        none,
        inode,
        start_time
    };
    source from = source::none;
    std::uint64_t value = 0;
};

process_birth birth_of(pid_type pid) noexcept;

/// Whether the process with that number now has that birth. Where it cannot be told, it is taken to
/// be so.
bool has_birth(pid_type pid, const process_birth& birth) noexcept;

/// Whether the process is a child whose status can still be taken: no error where it is, whether it
/// lives or not; `no_child_process` where it is none, or was reaped.
error_code check_child(child_id child) noexcept;

/// Whether the child is dead and can be reaped. `no_child_process` as above.
bool is_dead(child_id child, error_code& ec) noexcept;

/// How a dead child that can still be reaped ended; nothing where it is none. It is left as it is.
std::optional<child_exit> peek_at_child(child_id child) noexcept;

/// Takes a child's status; nothing, and no error, where it has none yet. `no_child_process` where
/// somebody else took it.
std::optional<child_exit> reap_child(child_id child, error_code& ec) noexcept;

/// The same of a process with that birth: of a later one with its number the status stays, and it is
/// `no_child_process`. Where births are inodes, and there is a descriptor to be had, nobody can come
/// between; else somebody who reaps the one and starts the other in the same moment could.
std::optional<child_exit> reap_child(
    pid_type pid, const process_birth& birth, error_code& ec) noexcept;

/// Blocks until a child has ended, and takes its status, which nobody wants.
void wait_for(child_id child) noexcept;

/// Takes the report that a child was stopped or continued, as `waitpid` codes it; nothing where
/// there is none.
std::optional<int> take_state(child_id child) noexcept;

/// A child of the process that is dead and can be reaped, if there is one. It is left as it is.
std::optional<pid_type> any_dead_child() noexcept;

/// Blocks until there is such a child; nothing where the process has no child at all.
std::optional<pid_type> wait_for_any() noexcept;

/// The numbers of the process's children, the dead ones included, in their order: of one that is born or
/// goes meanwhile, it may be there or not. False where the system does not tell, or has no memory for
/// them.
bool list_children(std::vector<pid_type>& pids) noexcept;

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
