// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_PROCESS_START_HPP
#define LOOPS_PROCESS_START_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/process/command.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

/// A process that was started here: its number, and a descriptor that stands for it and for no other.
///
/// It owns the descriptor, not the process: that goes on when the object is destroyed. Somebody is to
/// wait for it: `watcher->async_wait(std::move(process), token)`.
///
/// @par Thread safety
/// That of an `int`. signal() may be called while a watcher waits.
class LOOPS_DECL started_process
{
public:
    /// Makes one of no process.
    started_process() = default;

    /// Makes one of a child and a descriptor for it, which it owns from then on; below 0: there is none.
    started_process(pid_type pid, int native_handle) noexcept : pid_(pid), pidfd_(native_handle) {}

    /// Takes what the other one has, which is empty then.
    started_process(started_process&& other) noexcept
        : pid_(std::exchange(other.pid_, 0)), pidfd_(std::exchange(other.pidfd_, -1))
    {}

    /// The same; a descriptor that this one had is closed.
    started_process& operator=(started_process&& other) noexcept
    {
        std::swap(pid_, other.pid_);
        std::swap(pidfd_, other.pidfd_);
        return *this;
    }

    ~started_process();

    /// The process identifier; 0 where there is no process.
    pid_type id() const noexcept { return pid_; }

    /// The descriptor (a pidfd), readable once the process has ended; below 0 where the system has none.
    int native_handle() const noexcept { return pidfd_; }

    /// Gives the descriptor away.
    int release() noexcept { return std::exchange(pidfd_, -1); }

    /// Closes the descriptor, and forgets the process.
    void detach() noexcept { *this = started_process(); }

    /// Sends a signal, by the descriptor: it reaches this process or none. Without one it goes to the number,
    /// if that is a child of ours which nobody has reaped.
    /// @param ec `no_such_process` where it has ended and was reaped.
    void signal(int number, error_code& ec) const noexcept;

    /// The same. @throws system_error
    void signal(int number) const;

private:
    pid_type pid_ = 0;
    int pidfd_ = -1;
};

/// The category of errors of a start, which name the call that failed, in this process or in the new one:
/// `execve: No such file or directory`.
///
/// Such an `error_code` equals the `boost::system::errc` condition of the call's `errno`. There is one object
/// in a process. Thread safe.
LOOPS_DECL const error_category& start_category() noexcept;

/// Starts a program in a new process.
///
/// What it takes does not grow with the memory of this process: the new one shares it until it runs the
/// program, on a stack of its own (`clone` with `CLONE_VM` and `CLONE_VFORK`), and does nothing there but system
/// calls. The calling thread waits for so long, about 50 us. Handlers of `pthread_atfork` and Asio's
/// `notify_fork` are not called: there is nothing of theirs in the new process.
///
/// Where such a clone is refused, by a filter of system calls or an old kernel, and under ThreadSanitizer,
/// `posix_spawn` starts it; or a copying clone, as a fork is, where the command has what that cannot do.
///
/// @param what The program.
/// @param ec Of start_category(), where the program could not be started: there is no process then, no
/// zombie, no open descriptor, and, but for `posix_spawn`, no SIGCHLD was sent. `invalid_argument` for an empty program, a text with a
/// null character, or a descriptor below 0.
///
/// @return The process; one without a number where there was an error.
/// @throws std::bad_alloc
///
/// @par Thread safety
/// Safe. What other threads open meanwhile is not in the new process, whether it is close-on-exec or not.
///
/// @par Complexity
/// Linear in what the command holds; with the open descriptors of this process it grows little: the kernel
/// copies its table, but for the part that would be closed where there are some hundreds.
LOOPS_DECL started_process start_process(const command& what, error_code& ec);

/// The same. @throws system_error, whose text has the program as well.
LOOPS_DECL started_process start_process(const command& what);

} // namespace LOOPS_ABI
} // namespace loops

#endif
