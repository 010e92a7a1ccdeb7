// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/spawn_error.hpp"

#include <boost/system/generic_category.hpp>
#include <boost/system/system_category.hpp>

#include <string>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

constexpr int number_bits = 16; // of the errno; the call is above

const char* name_of(spawn_call call) noexcept
{
    switch (call)
    {
    case spawn_call::lookup: return "looking for the program";
    case spawn_call::clone: return "clone";
    case spawn_call::posix_spawn: return "posix_spawn";
    case spawn_call::pipe: return "pipe2";
    case spawn_call::open: return "open";
    case spawn_call::fcntl: return "fcntl";
    case spawn_call::dup2: return "dup2";
    case spawn_call::close_range: return "close_range";
    case spawn_call::prctl: return "prctl";
    case spawn_call::setsid: return "setsid";
    case spawn_call::setpgid: return "setpgid";
    case spawn_call::cgroup: return "writing to cgroup.procs";
    case spawn_call::setrlimit: return "setrlimit";
    case spawn_call::setgroups: return "setgroups";
    case spawn_call::setgid: return "setresgid";
    case spawn_call::setuid: return "setresuid";
    case spawn_call::chdir: return "chdir";
    case spawn_call::setup: return "an initializer";
    case spawn_call::execve: return "execve";
    case spawn_call::make_cgroup: return "making a cgroup";
    case spawn_call::socket: return "making a socket for notifications";
    }
    return "an unknown call";
}

class category final : public error_category
{
public:
    const char* name() const noexcept override { return "loops.start"; }

    std::string message(int value) const override
    {
        return std::string(name_of(static_cast<spawn_call>(value >> number_bits))) + ": " +
               boost::system::system_category().message(number_of(value));
    }

    error_condition default_error_condition(int value) const noexcept override
    {
        return boost::system::system_category().default_error_condition(number_of(value));
    }

    static int number_of(int value) noexcept { return value & ((1 << number_bits) - 1); }
};

} // namespace

const error_category& spawn_category() noexcept
{
    static const category it;
    return it;
}

error_code make_spawn_error(spawn_call call, int number) noexcept
{
    return error_code(static_cast<int>(call) << number_bits | number, spawn_category());
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
