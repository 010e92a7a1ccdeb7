// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_LINUX_PIDFD_HPP
#define LOOPS_SRC_PLATFORM_LINUX_PIDFD_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include "platform/linux/child.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

// What is pidfds' alone, and the epoll descriptors that hold them. None blocks.

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// Opens a descriptor, close-on-exec, that stands for a process.
int open_pidfd(pid_type pid, error_code& ec) noexcept;

/// Whether an error of open_pidfd() says that there is no such process.
bool is_no_process(const error_code& ec) noexcept;

/// Whether an error may be gone the next time, and says nothing about what the kernel can do.
bool is_shortage(const error_code& ec) noexcept;

/// Sends a signal to a child: by its pidfd, or, where there is none, to its number if it is a child that
/// nobody has reaped. `no_such_process` where it was.
void send_signal(child_id child, int signal, error_code& ec) noexcept;

/// The same for all processes of the group that the child leads or led; without a pidfd, or before Linux 6.9,
/// only while nobody has reaped it.
void send_signal_to_group(child_id leader, int signal, error_code& ec) noexcept;

enum class process_stage
{
    alive,
    ended,
    reaped // Linux 6.9 and later tell that
};

/// How far it is with a process.
process_stage stage_of(int pidfd) noexcept;

/// The number of the process that a pidfd stands for. `no_such_process` where it was reaped, `bad_file_descriptor` where
/// it is no pidfd.
pid_type pid_of(int pidfd, error_code& ec);

/// How the process ended, as `waitpid` codes it, whoever took its status; nothing where it has not,
/// or the kernel does not tell.
std::optional<int> exit_status(int pidfd) noexcept;

/// Makes an epoll descriptor, close-on-exec.
int make_epoll(error_code& ec) noexcept;

/// Reports `fd` once each time that it becomes readable, or has priority data, and at once where it is already.
void epoll_add(int epoll, int fd, std::uint64_t id, error_code& ec) noexcept;
void epoll_add_priority(int epoll, int fd, std::uint64_t id, error_code& ec) noexcept;
void epoll_remove(int epoll, int fd) noexcept;

/// Takes up to `size` reports, without waiting; gives how many.
std::size_t epoll_take(int epoll, std::uint64_t* ids, std::size_t size) noexcept;

/// Puts another file under the number `fd`: what is then done to the number reaches no process
/// that shares the present one.
void replace_descriptor(int fd) noexcept;

/// Whether the environment allows them: `LOOPS_NO_PIDFD`.
bool may_use_pidfds() noexcept;

/// Tries on this process, without forking, whether children can be watched by the above. Gives what
/// was refused, and by what call: an empty text where nothing was. Nothing where it cannot be told
/// now, for want of a descriptor or memory.
std::optional<std::string> why_no_pidfds();

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
