// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_FORKED_HPP
#define LOOPS_TEST_SUPPORT_FORKED_HPP

#include "support/other_threads.hpp"
#include "support/sanitizers.hpp"
#include "support/skipped.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

// Whether the child of a process with threads can have none of its own, and the case is skipped: GCC's
// ThreadSanitizer takes the parent's for the child's, and ends it when a new one has the address of one
// of those.
inline bool no_threads_in_child(const std::string& which)
{
    if (!LOOPS_TEST_GCC_THREAD_SANITIZER)
        return false;
    skipped(which, "GCC's ThreadSanitizer bears no threads in a forked child");
    return true;
}

// Whether no other thread may be busy while one forks, and the case is skipped: AddressSanitizer's
// allocator (GCC 12, Clang 14) holds no lock of its own over a fork, so that a thread that is in it
// leaves it locked in the child.
inline bool no_fork_beside_busy_threads(const std::string& which)
{
    if (!LOOPS_TEST_ADDRESS_SANITIZER)
        return false;
    skipped(which, "AddressSanitizer's allocator bears no fork beside busy threads");
    return true;
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
    if (LOOPS_TEST_ADDRESS_SANITIZER)
        until_others_sleep(); // else see no_fork_beside_busy_threads()
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
