// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_POOL_LOOPS_HPP
#define LOOPS_SRC_DETAIL_POOL_LOOPS_HPP

#include <loops/event_loop.hpp>

#include "detail/departure.hpp"
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

// The loops that a pool has at a time, for whoever chooses. Does not change once made.
struct pool_roster
{
    std::vector<std::shared_ptr<loop_record>> records;
    std::vector<event_loop*> loops;
    cpu_table cpus;
};

// The loops of a pool: those that it has, and behind them those that have left, in the order in which
// they were made. Only roster() may be called without the pool's lock.
class pool_loops
{
public:
    // Null before the first publish().
    const pool_roster* roster() const noexcept { return roster_.load(std::memory_order_acquire); }

    std::size_t size() const noexcept { return loops_.size(); }
    event_loop& operator[](std::size_t index) const { return *loops_[index]; }

    // One more, which is not yet seen.
    void add(std::unique_ptr<event_loop> loop);
    // Takes back what was added last. It was never seen.
    void drop_last();

    // To which CPU its thread is bound.
    std::vector<std::optional<unsigned>>& cpus() noexcept { return cpus_; }
    const std::shared_ptr<departure>& departure_of(std::size_t index) const
    {
        return departures_[index];
    }

    // The first so many are the pool's from now on, with their CPUs as they are.
    void publish(std::size_t size);

    // For the end of the pool.
    std::vector<std::unique_ptr<event_loop>>& all() noexcept { return loops_; }

private:
    std::vector<std::unique_ptr<event_loop>> loops_;
    std::vector<std::shared_ptr<departure>> departures_;
    std::vector<std::optional<unsigned>> cpus_;
    std::atomic<const pool_roster*> roster_{nullptr};
    // Whoever chooses may still be reading an old one. No two are equal, so that restarts and changes of
    // size to and fro do not pile them up.
    std::vector<std::unique_ptr<const pool_roster>> rosters_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
