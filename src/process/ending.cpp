// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "process/ending.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

bool is_valid(const stop_ladder& ladder) noexcept
{
    return !ladder.empty() && std::all_of(ladder.begin(), ladder.end(), [](const stop_rung& each) {
        return each.signal > 0 && each.patience >= std::chrono::nanoseconds(0);
    });
}

} // namespace detail

stop_ladder default_stop_ladder()
{
    return {{SIGTERM, std::chrono::seconds(5)}, {SIGKILL, {}}};
}

} // namespace LOOPS_ABI
} // namespace loops
