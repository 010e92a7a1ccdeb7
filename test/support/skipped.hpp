// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_SKIPPED_HPP
#define LOOPS_TEST_SUPPORT_SKIPPED_HPP

#include <cstdio>
#include <string>

namespace test {

// What tools/summary counts as skipped: a "suite/case", which then returns, and why it cannot run here.
inline void skipped(const std::string& which, const std::string& why)
{
    std::printf("\nLOOPS_SKIPPED: %s: %s\n", which.c_str(), why.c_str());
    std::fflush(stdout);
}

} // namespace test

#endif
