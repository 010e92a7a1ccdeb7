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

void pool_loops::add(std::unique_ptr<event_loop> loop)
{
    record_of(*loop)->index_in_pool = loops_.size();
    departures_.reserve(loops_.size() + 1);
    cpus_.reserve(loops_.size() + 1);
    auto leaves = std::make_shared<departure>();
    loops_.push_back(std::move(loop));
    departures_.push_back(std::move(leaves));
    cpus_.emplace_back();
}

void pool_loops::drop_last()
{
    cpus_.pop_back();
    departures_.pop_back();
    loops_.pop_back();
}

void pool_loops::publish(std::size_t size)
{
    const auto cpus =
        std::vector<std::optional<unsigned>>(cpus_.begin(), cpus_.begin() + std::ptrdiff_t(size));
    auto same = std::find_if(rosters_.begin(), rosters_.end(),
        [&](const auto& each) { return each->cpus.cpu_of() == cpus; });
    if (same == rosters_.end())
    {
        auto made = std::make_unique<pool_roster>(pool_roster{{}, {}, cpu_table(cpus)});
        for (std::size_t i = 0; i < size; ++i)
        {
            made->records.push_back(record_of(*loops_[i]));
            made->loops.push_back(loops_[i].get());
        }
        same = rosters_.insert(same, std::move(made));
    }
    roster_.store(same->get(), std::memory_order_release);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
