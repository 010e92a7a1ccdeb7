// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_CHILD_EXIT_HPP
#define LOOPS_CHILD_EXIT_HPP

#include <loops/config.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

namespace loops {
inline namespace LOOPS_ABI {

/// What a process used while it lived, with its own children that it waited for. POSIX's `rusage`.
struct resource_usage
{
    /// CPU time in the program.
    std::chrono::microseconds user{};
    /// CPU time in the kernel.
    std::chrono::microseconds system{};
    /// The largest resident set, in KiB.
    std::int64_t max_resident_kib = 0;
    /// Page faults without a read from a disk.
    std::int64_t minor_faults = 0;
    /// Page faults with one.
    std::int64_t major_faults = 0;
    /// How often it gave its CPU up, to wait for something.
    std::int64_t voluntary_switches = 0;
    /// How often its CPU was taken from it.
    std::int64_t involuntary_switches = 0;
};

/// What a return code is called where the true one was lost: no process can end with it.
inline constexpr int returncode_lost = std::numeric_limits<int>::min();

/// How a child ended. A small value; copy it. Thread safety is that of an `int`.
class LOOPS_DECL child_exit
{
public:
    /// Makes the exit of no process: what accompanies an error.
    child_exit() = default;

    /// Makes an exit of a status as `waitpid` gives it.
    child_exit(pid_type pid, int native_status,
        const std::optional<resource_usage>& usage = std::nullopt) noexcept
        : pid_(pid), status_(native_status), usage_(usage)
    {}

    /// The child's process identifier, which may belong to another process by now; 0 where there is
    /// no exit, but an error.
    pid_type pid() const noexcept { return pid_; }

    /// Whether the child ended by itself, with an exit code.
    bool exited() const noexcept;

    /// The exit code, 0 to 255; 0 where the child was ended by a signal.
    int exit_code() const noexcept;

    /// Whether a signal ended the child.
    bool signaled() const noexcept;

    /// The signal that ended the child; 0 where it ended by itself.
    int term_signal() const noexcept;

    /// Whether the child left a core image.
    bool core_dumped() const noexcept;

    /// asyncio's convention: the exit code, or minus the signal.
    int returncode() const noexcept;

    /// The status in the system's own coding, as `waitpid` gives it.
    int native_status() const noexcept { return status_; }

    /// What the child used; nothing where the watcher cannot know.
    const std::optional<resource_usage>& rusage() const noexcept { return usage_; }

private:
    pid_type pid_ = 0;
    int status_ = 0;
    std::optional<resource_usage> usage_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
