// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_FORKED_HPP
#define LOOPS_TEST_SUPPORT_FORKED_HPP

#include <sys/wait.h>
#include <unistd.h>

namespace test {

// Runs `check` in a forked child, which leaves by _exit on every path, and gives its exit code:
// what `check` returned (0 to 99), 100 for an exception, 101 for a signal, -1 where it could not
// be started.
template <class Check>
int in_forked_child(Check check)
{
    const pid_t pid = ::fork();
    if (pid == 0)
    {
        int code = 100;
        try
        {
            code = check();
        }
        catch (...)
        {}
        ::_exit(code);
    }
    int status = 0;
    if (pid < 0 || ::waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

} // namespace test

#endif
