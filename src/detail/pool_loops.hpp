// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_POOL_LOOPS_HPP
#define LOOPS_SRC_DETAIL_POOL_LOOPS_HPP

#include <loops/config.hpp>

#include "detail/loop_record.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Which loop's thread is bound to which CPU. Does not change once made, so that it is read without
// a lock.
class cpu_table
{
public:
    // Of each loop, the CPU that its thread is bound to, or none.
    explicit cpu_table(std::vector<std::optional<unsigned>> cpu_of);

    const std::vector<std::optional<unsigned>>& cpu_of() const noexcept { return cpu_of_; }

    // The loops that are bound to one CPU, in the order of their indices.
    std::size_t count_on(unsigned cpu) const noexcept
    {
        return cpu + std::size_t(1) < first_.size() ? first_[cpu + std::size_t(1)] - first_[cpu]
                                                    : 0;
    }
    std::size_t on(unsigned cpu, std::size_t which) const noexcept
    {
        return loops_[first_[cpu] + which];
    }

private:
    std::vector<std::optional<unsigned>> cpu_of_;
    // The loops by CPU, and where those of each begin; one more at the end. Empty: none is bound.
    std::vector<std::size_t> loops_;
    std::vector<std::size_t> first_;
};

// What choosers see of a pool.
struct pool_loops
{
    // Made once, before anybody chooses among them.
    std::vector<std::shared_ptr<loop_record>> records;
    // Replaced where a later start binds threads otherwise. Null: not started.
    std::atomic<const cpu_table*> cpus{nullptr};
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
