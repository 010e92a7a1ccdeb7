// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/pool_loops.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

cpu_table::cpu_table(std::vector<std::optional<unsigned>> cpu_of) : cpu_of_(std::move(cpu_of))
{
    const auto highest = std::max_element(cpu_of_.begin(), cpu_of_.end());
    if (highest == cpu_of_.end() || !*highest)
        return; // nothing is less than any CPU
    first_.resize(**highest + std::size_t(2));
    for (const auto& cpu : cpu_of_)
    {
        if (cpu)
            ++first_[*cpu + std::size_t(1)];
    }
    std::partial_sum(first_.begin(), first_.end(), first_.begin());
    loops_.resize(first_.back());
    auto next = first_;
    for (std::size_t i = 0; i < cpu_of_.size(); ++i)
    {
        if (cpu_of_[i])
            loops_[next[*cpu_of_[i]]++] = i;
    }
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
