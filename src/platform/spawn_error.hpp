// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_SPAWN_ERROR_HPP
#define LOOPS_SRC_PLATFORM_SPAWN_ERROR_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// Which call failed in the start of a process, in the parent, or in the child before it was its program.
enum class spawn_call : unsigned char
{
    lookup = 1, // of the program, before any call
    clone,
    posix_spawn,
    pipe,
    open,
    fcntl,
    dup2,
    close_range,
    prctl,
    setsid,
    setpgid,
    cgroup, // writing to cgroup.procs
    setrlimit,
    setgroups,
    setgid,
    setuid,
    chdir,
    setup,
    execve,
    make_cgroup, // or setting its limits
    socket,
};

/// The category of errors that name the call which failed: `execve: No such file or directory`. They equal
/// the conditions of their errno.
const error_category& spawn_category() noexcept;

error_code make_spawn_error(spawn_call call, int number) noexcept;

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
