// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// usage: exit_in_child KIND
//
// Has a policy of that kind, forks, and calls exit(7) in the child; exits with what the child
// did, or 1 where it did not end by itself. Not a test case, since Boost.Test does not live through
// exit().

#include <loops/event_loop.hpp>

#include "support/policy_kinds.hpp"

#include <cstdlib>

#include <sys/wait.h>
#include <unistd.h>

// What the parent's threads had at hand is lost with them in the child: that is no leak. For the sanitizer.
extern "C" int __lsan_is_turned_off(); // NOLINT: its name is the sanitizer's
extern "C" int __lsan_is_turned_off()  // NOLINT
{
    return 1;
}

int main(int count, char** arguments)
{
    if (count != 2)
        return 2;
    const auto policy = test::policy_kind_of(arguments[1]).make();
    loops::set_event_loop_policy(policy);
    policy->start();
    loops::get_event_loop();
    loops::select_event_loop();
    const pid_t child = ::fork();
    if (child == 0)
    {
        ::alarm(60);  // where it would hang
        std::exit(7); // NOLINT(concurrency-mt-unsafe): there is but one thread
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child)
        return 3;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
