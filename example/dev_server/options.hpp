// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef DEV_SERVER_OPTIONS_HPP
#define DEV_SERVER_OPTIONS_HPP

#include <loops/process/command.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <stdexcept>
#include <vector>

namespace dev_server {

struct options
{
    bool help = false;
    std::vector<std::filesystem::path> watched;
    std::optional<std::uint64_t> most_memory; // bytes
    std::chrono::milliseconds quiet{100};
    loops::command worker{""};
};

// What is wrong with a command line, in a line.
class usage_error : public std::runtime_error
{
public:
    using runtime_error::runtime_error;
};

options parse_options(int argc, const char* const* argv);

void print_help(std::ostream& out);

} // namespace dev_server

#endif
