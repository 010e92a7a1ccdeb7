// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_PROCESS_COMMAND_HPP
#define LOOPS_PROCESS_COMMAND_HPP

#include <loops/config.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

/// A limit of what a process may use; POSIX's `setrlimit`.
struct resource_limit
{
    /// Which, as `RLIMIT_AS`.
    int resource = 0;
    /// What holds until the process raises it.
    std::uint64_t soft = 0;
    /// Up to where it may raise it.
    std::uint64_t hard = 0;
};

/// As whom a process runs. To become somebody else takes the right to.
struct process_user
{
    /// The number of the user.
    std::uint32_t user = 0;
    /// The number of the group.
    std::uint32_t group = 0;
    /// The supplementary groups: these and no others.
    std::vector<std::uint32_t> groups;
};

/// A program, and what the process that runs it is to be like: data, for whatever starts it.
///
/// What is not asked for is the parent's, except for what a program cannot expect: signals are at their
/// defaults and none is blocked, and no descriptor is open but those in `descriptors`.
struct command
{
    /// What stands for `/dev/null` among the descriptors.
    static constexpr int null_device = -1;

    /// Makes a command of a program and its arguments.
    command(std::string program_, std::vector<std::string> arguments_ = {})
        : program(std::move(program_)), arguments(std::move(arguments_))
    {}

    /// A path if it has a slash; else looked for in this process's `PATH`. What is not absolute is taken from
    /// the process's directory.
    std::string program;
    /// Without the program's own name, which comes before them.
    std::vector<std::string> arguments;
    /// `NAME=value`, all of them; nothing: this process's.
    std::optional<std::vector<std::string>> environment;
    /// Which descriptors the process has, and of which descriptor of this process, or null_device, each is a
    /// copy.
    std::map<int, int> descriptors{{0, 0}, {1, 1}, {2, 2}};
    /// The working directory; empty: this process's. It is entered as the user whom the process has.
    std::string directory;
    /// The process group: 0 for one of its own. Not with `new_session`, which makes one.
    std::optional<pid_type> process_group;
    /// Whether it leads a new session, without a terminal.
    bool new_session = false;
    /// As whom it runs.
    std::optional<process_user> user;
    /// The mask of modes that files are made without.
    std::optional<int> umask;
    /// Set before the user is changed.
    std::vector<resource_limit> limits;
    /// Sent to it when the _thread_ that started it ends; 0: none. See `prctl(2)`.
    int parent_death_signal = 0;
    /// The folder of a cgroup, version 2, that it is in from its first instruction on; empty: this process's.
    std::string cgroup;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
