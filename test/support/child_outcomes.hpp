// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_CHILD_OUTCOMES_HPP
#define LOOPS_TEST_SUPPORT_CHILD_OUTCOMES_HPP

#include "support/child_watchers.hpp"
#include "support/latch.hpp"

namespace test {

// Whether a wait ended once, with the true status.
inline bool is_true(const outcome& result, int code)
{
    return result.calls() == 1 && !result.ec() && result.exit().returncode() == code;
}

// The same, or lost, where somebody else may have taken it; what it must not be is a success that
// nobody had.
inline bool is_true_or_lost(const outcome& result, int code)
{
    return is_true(result, code) ||
           (result.calls() == 1 && result.ec() == loops::error::child_status_lost);
}

// Runs the loop until it is out of work, or it is clear that it never is.
inline void run_in_time(asio::io_context& loop)
{
    loop.restart();
    loop.run_for(patience);
}

} // namespace test

#endif
