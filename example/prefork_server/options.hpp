// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_OPTIONS_HPP
#define PREFORK_SERVER_OPTIONS_HPP

#include <chrono>
#include <iosfwd>
#include <optional>
#include <stdexcept>
#include <string>

namespace prefork {

/// What this program was asked to be: a master, or, by the master, a worker.
struct worker_role
{
    unsigned index = 0;
    /// Which of the worker's slots on the scoreboard is its process's.
    unsigned slot = 0;
    /// The master's pid, so that a worker notices if that died before it could ask to be told.
    int master = 0;
};

/// The command line, checked.
struct options
{
    bool help = false;
    /// A description as loops::make_policy() takes it, the number of threads filled in.
    std::string policy;
    std::string watcher;
    unsigned workers = 0;
    unsigned short port = 0;
    std::chrono::seconds grace{};
    /// Set in a worker only.
    std::optional<worker_role> worker;
};

/// Something on the command line that cannot be; the text is one line for the user.
class usage_error : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

/// Reads the command line.
/// @throws usage_error
options parse_options(int argc, const char* const* argv);

/// Prints what `--help` answers.
void print_help(std::ostream& out);

} // namespace prefork

#endif
