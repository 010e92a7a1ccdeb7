// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What the system can do without any library.

#include "starters.hpp"

#include <cerrno>
#include <csignal>
#include <system_error>

#include <sched.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace starts {
namespace {

constexpr int id_is_pidfd = 3; // P_PIDFD

[[noreturn]] void fail(const char* call)
{
    throw std::system_error(errno, std::generic_category(), call);
}

class raw_starter : public starter
{
public:
    explicit raw_starter(const std::string& program) : program_(program) {}

protected:
    const char* program() const { return program_.c_str(); }
    char* const* arguments() { return arguments_; }

private:
    const std::string program_;
    char* arguments_[2] = {const_cast<char*>(program_.c_str()), nullptr};
};

// The floor: the fewest calls that start a program without a copy of the parent's memory, and wait for it
// by a descriptor.
class clone_starter : public raw_starter
{
public:
    using raw_starter::raw_starter;

    void start_and_wait() override
    {
        alignas(16) static char stack[16384];
        int pidfd = -1;
        const auto child = [](void* it) {
            auto& self = *static_cast<clone_starter*>(it);
            ::execve(self.program(), self.arguments(), environ);
            ::_exit(127);
            return 0;
        };
        if (::clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                this, &pidfd) < 0)
            fail("clone");
        siginfo_t info{};
        ::syscall(SYS_waitid, id_is_pidfd, pidfd, &info, WEXITED, nullptr);
        ::close(pidfd);
    }
};

class spawn_starter : public raw_starter
{
public:
    using raw_starter::raw_starter;

    void start_and_wait() override
    {
        pid_t pid = 0;
        errno = ::posix_spawn(&pid, program(), nullptr, nullptr, arguments(), environ);
        if (errno != 0)
            fail("posix_spawn");
        ::waitpid(pid, nullptr, 0);
    }
};

class fork_starter : public raw_starter
{
public:
    using raw_starter::raw_starter;

    void start_and_wait() override
    {
        const pid_t pid = ::fork();
        if (pid == 0)
        {
            ::execve(program(), arguments(), environ);
            ::_exit(127);
        }
        if (pid < 0)
            fail("fork");
        ::waitpid(pid, nullptr, 0);
    }
};

} // namespace

void add_raw(std::vector<kind>& all)
{
    all.push_back(kind_of<clone_starter>("clone and waitid"));
    all.push_back(kind_of<spawn_starter>("posix_spawn"));
    all.push_back(kind_of<fork_starter>("fork"));
}

} // namespace starts
