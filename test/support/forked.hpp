// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_FORKED_HPP
#define LOOPS_TEST_SUPPORT_FORKED_HPP

#include <cstdio>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

// Whether the child of a process with threads can have none of its own, and the case is skipped: GCC's
// ThreadSanitizer takes the parent's for the child's, and ends it when a new one has the address of one
// of those.
inline bool no_threads_in_child(const std::string& which)
{
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
    std::printf("\nLOOPS_SKIPPED: %s: GCC's ThreadSanitizer bears no threads in a forked child\n",
        which.c_str());
    std::fflush(stdout);
    return true;
#else
    return static_cast<void>(which), false;
#endif
}

// Runs `check` in a forked child, which leaves by _exit on every path, and gives what `check`
// returned; 100 for an exception, 101 for a signal, -1 where it could not be started. It comes by a
// pipe: a watcher that is under test may reap every child.
template <class Check>
int in_forked_child(Check check)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    const pid_t pid = ::fork();
    if (pid == 0)
    {
        ::close(ends[0]);
        int code = 100;
        try
        {
            code = check();
        }
        catch (...)
        {}
        ::_exit(::write(ends[1], &code, sizeof code) == sizeof code ? 0 : 1);
    }
    ::close(ends[1]);
    int code = 101;
    const bool said = pid > 0 && ::read(ends[0], &code, sizeof code) == sizeof code;
    ::close(ends[0]);
    // A child that left by itself said nothing.
    int status = 0;
    if (pid > 0 && ::waitpid(pid, &status, 0) == pid && !said && WIFEXITED(status))
        code = WEXITSTATUS(status);
    if (pid < 0)
        code = -1;
    return code;
}

} // namespace test

#endif
