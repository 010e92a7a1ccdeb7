// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_SHORTAGE_HPP
#define LOOPS_TEST_SUPPORT_SHORTAGE_HPP

#include "support/child_processes.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/resource.h>

namespace test {

// Opens descriptors until none is left; for a forked child.
inline bool use_up_descriptors()
{
    rlimit few{};
    ::getrlimit(RLIMIT_NOFILE, &few);
    few.rlim_cur = static_cast<rlim_t>(child_ledger::count_descriptors() + 8);
    ::setrlimit(RLIMIT_NOFILE, &few);
    while (::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
    {}
    return errno == EMFILE;
}

// There are some again.
inline void allow_more_descriptors()
{
    rlimit more{};
    ::getrlimit(RLIMIT_NOFILE, &more);
    more.rlim_cur = more.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &more);
}

} // namespace test

#endif
