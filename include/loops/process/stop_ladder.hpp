// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_PROCESS_STOP_LADDER_HPP
#define LOOPS_PROCESS_STOP_LADDER_HPP

#include <loops/config.hpp>

#include <chrono>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

/// A step in ending a process.
struct stop_rung
{
    /// The signal that is sent.
    int signal = 0;
    /// How long the process has to end before the next step.
    std::chrono::nanoseconds patience{};
};

/// How a process is ended: signals, one after the other, until it is. After the last one its end is waited for
/// without limit, so that one should be `SIGKILL`.
using stop_ladder = std::vector<stop_rung>;

/// `SIGTERM`; after five seconds `SIGKILL`.
LOOPS_DECL stop_ladder default_stop_ladder();

} // namespace LOOPS_ABI
} // namespace loops

#endif
