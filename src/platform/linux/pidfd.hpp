// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_LINUX_PIDFD_HPP
#define LOOPS_SRC_PLATFORM_LINUX_PIDFD_HPP

#include <loops/child_exit.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

// The system calls of the pidfd watcher. None blocks.

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// Opens a descriptor, close-on-exec, that stands for a process.
int open_pidfd(pid_type pid, error_code& ec) noexcept;

/// Whether an error of open_pidfd() says that there is no such process.
bool is_no_process(const error_code& ec) noexcept;

/// Whether the process is a child whose status can still be taken: no error where it is, whether
/// it lives or not; `no_child_process` where it is none, or was reaped.
error_code check_child(int pidfd) noexcept;

/// Takes a child's status; nothing, and no error, where it has none yet. `no_child_process` where
/// somebody else took it. `pid` is what to call the child.
std::optional<child_exit> reap_child(int pidfd, pid_type pid, error_code& ec) noexcept;

/// Makes an epoll descriptor, close-on-exec.
int make_epoll(error_code& ec) noexcept;

/// Reports `fd` once each time that it becomes readable, and at once where it is already.
void epoll_add(int epoll, int fd, std::uint64_t id, error_code& ec) noexcept;
void epoll_remove(int epoll, int fd) noexcept;

/// Takes up to `size` reports, without waiting; gives how many.
std::size_t epoll_take(int epoll, std::uint64_t* ids, std::size_t size) noexcept;

void close_descriptor(int fd) noexcept;

/// Puts another file under the number `fd`: what is then done to the number reaches no process
/// that shares the present one.
void replace_descriptor(int fd) noexcept;

/// Tries on this process, without forking, whether children can be watched by the above.
bool pidfds_work() noexcept;

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
