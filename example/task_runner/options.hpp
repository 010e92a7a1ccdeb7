// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef TASK_RUNNER_OPTIONS_HPP
#define TASK_RUNNER_OPTIONS_HPP

#include <chrono>
#include <cstddef>
#include <iosfwd>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace task_runner {

/// The command line, checked.
struct options
{
    bool help = false;
    /// How many tasks run at a time.
    std::size_t jobs = 1;
    /// After what time a task is stopped.
    std::optional<std::chrono::nanoseconds> timeout;
    /// Whether the first task that fails ends all.
    bool fail_fast = false;
    /// One shell command a task.
    std::vector<std::string> tasks;
};

/// Something on the command line that cannot be; the text is one line for the user.
class usage_error : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

/// Reads the command line, and the file of tasks that it names.
/// @throws usage_error
options parse_options(int argc, const char* const* argv);

/// Prints what `--help` answers.
void print_help(std::ostream& out);

} // namespace task_runner

#endif
