// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PROCESS_SPAWN_REQUEST_HPP
#define LOOPS_SRC_PROCESS_SPAWN_REQUEST_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/process/command.hpp>

#include "platform/linux/spawn.hpp"

#include <string>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// A command, checked and laid out for the platform. It refers to the command.
class spawn_request
{
public:
    // With an error it must not be used.
    spawn_request(const command& what, error_code& ec);
    spawn_request(const spawn_request&) = delete;
    spawn_request& operator=(const spawn_request&) = delete;
    ~spawn_request();

    platform::spawn_plan& plan() noexcept { return plan_; }

private:
    void find_programs(const std::string& program);
    void lay_out(const command& what);
    void open_cgroup(const std::string& folder, error_code& ec);

    std::vector<std::string> found_;
    std::vector<const char*> programs_;
    std::vector<const char*> arguments_;
    std::vector<const char*> environment_;
    std::vector<platform::planned_descriptor> descriptors_;
    std::vector<platform::planned_limit> limits_;
    platform::planned_user user_;
    platform::spawn_plan plan_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
