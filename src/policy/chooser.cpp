// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/policy/chooser.hpp>

#include "detail/loop_record.hpp"
#include "detail/pool_loops.hpp"
#include "detail/random.hpp"
#include "detail/thread_state.hpp"

#include <boost/system/errc.hpp>

#include <atomic>
#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

std::int64_t pool_view::load(std::size_t index) const noexcept
{
    return loops_[index]->load();
}

std::int64_t pool_view::leases(std::size_t index) const noexcept
{
    return loops_[index]->leased.load(std::memory_order_relaxed);
}

std::int64_t pool_view::tasks(std::size_t index) const noexcept
{
    return loops_[index]->tasks.load(std::memory_order_relaxed);
}

std::optional<std::size_t> pool_view::running() const noexcept
{
    for (const detail::run_frame* run = detail::thread_state::of_this_thread().run; run != nullptr;
         run = run->outer)
    {
        const std::size_t index = run->record->index_in_pool.load(std::memory_order_relaxed);
        if (index < size_ && loops_[index] == run->record)
            return index;
    }
    return std::nullopt;
}

std::optional<unsigned> pool_view::cpu(std::size_t index) const noexcept
{
    return cpus_ != nullptr ? cpus_->cpu_of()[index] : std::nullopt;
}

std::size_t pool_view::count_on(unsigned cpu) const noexcept
{
    return cpus_ != nullptr ? cpus_->count_on(cpu) : 0;
}

std::size_t pool_view::on(unsigned cpu, std::size_t which) const noexcept
{
    return cpus_->on(cpu, which);
}

chooser::chooser(std::string name, function choose)
    : name_(std::move(name)), choose_(std::move(choose))
{}

namespace {

// Copies of a chooser deal from one deck.
auto make_turn()
{
    return std::make_shared<std::atomic<std::size_t>>(0);
}

// The less loaded of two different loops out of `count`, picked at random; `index_of` tells the
// index of each.
template <class IndexOf>
std::size_t less_loaded_of_two(const pool_view& loops, std::size_t count, IndexOf index_of)
{
    if (count == 1)
        return index_of(0);
    const std::uint64_t random = detail::next_random();
    const std::size_t first = detail::scale(static_cast<std::uint32_t>(random), count);
    const std::size_t other = detail::scale(static_cast<std::uint32_t>(random >> 32), count - 1);
    const std::size_t a = index_of(first);
    const std::size_t b = index_of(other < first ? other : other + 1);
    // `a` is as likely to be any: loops of equal load get equal shares.
    return loops.load(b) < loops.load(a) ? b : a;
}

std::size_t choose_of_two(const pool_view& loops, const selection&)
{
    return less_loaded_of_two(loops, loops.size(), [](std::size_t i) { return i; });
}

// J. Lamping and E. Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm",
// https://arxiv.org/abs/1406.2294. A key that is on loop b when there are b + 1 of them stays there
// until there are more than j, which is the first after b to which it moves: floor((b + 1) / r) for
// an r evenly distributed over (0, 1], drawn from numbers that follow from the key. The last loop
// below `count` to which it moved is the answer.
//
// The paper's generator is the plain key times a constant; this one takes keys that differ in a few
// bits only, as addresses and counters do, and the division of integers is exact on every machine.
std::size_t jump_hash(std::uint64_t key, std::size_t count) noexcept
{
    std::uint64_t loop = 0;
    for (std::uint64_t next = 0; next < count;)
    {
        loop = next;
        const std::uint64_t r = (detail::next_random(key) >> 32) + 1; // in 2^-32
        next = ((loop + 1) << 32) / r;
    }
    return static_cast<std::size_t>(loop);
}

std::size_t choose_by_key(const pool_view& loops, const selection& what)
{
    return what.key ? jump_hash(*what.key, loops.size()) : choose_of_two(loops, what);
}

std::size_t choose_by_cpu(const pool_view& loops, const selection& what)
{
    if (!what.cpu)
        return choose_of_two(loops, what);
    const unsigned cpu = *what.cpu;
    const std::size_t there = loops.count_on(cpu);
    if (there == 0)
        return cpu % loops.size();
    return less_loaded_of_two(loops, there, [&](std::size_t i) { return loops.on(cpu, i); });
}

} // namespace

round_robin_t::operator chooser() const
{
    return {"round_robin", [turn = make_turn()](const pool_view& loops, const selection&) {
                return turn->fetch_add(1, std::memory_order_relaxed) % loops.size();
            }};
}

least_loaded_t::operator chooser() const
{
    return {"least_loaded", [turn = make_turn()](const pool_view& loops, const selection&) {
                // Begins elsewhere each time: loops of equal load take turns.
                std::size_t best = turn->fetch_add(1, std::memory_order_relaxed) % loops.size();
                std::int64_t least = loops.load(best);
                std::size_t next = best;
                for (std::size_t seen = 1; seen < loops.size() && least > 0; ++seen)
                {
                    next = next + 1 == loops.size() ? 0 : next + 1;
                    const std::int64_t load = loops.load(next);
                    if (load < least)
                    {
                        least = load;
                        best = next;
                    }
                }
                return best;
            }};
}

two_choices_t::operator chooser() const
{
    return {"two_choices", choose_of_two};
}

by_key_t::operator chooser() const
{
    return {"by_key", choose_by_key};
}

by_cpu_t::operator chooser() const
{
    return {"by_cpu", choose_by_cpu};
}

chooser prefer_current(prefer_current_options options)
{
    if (options.margin < 0)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "making prefer_current with a margin of " + std::to_string(options.margin) +
                "; it must be 0 or more");
    return {
        "prefer_current", [margin = options.margin](const pool_view& loops, const selection& what) {
            const auto here = loops.running();
            if (!here)
                return choose_of_two(loops, what);
            // Loads are not negative: up to the margin, none can be less by more than that.
            const std::int64_t load = loops.load(*here);
            if (load <= margin || loops.size() == 1)
                return *here;
            const std::size_t other = less_loaded_of_two(
                loops, loops.size() - 1, [&](std::size_t i) { return i < *here ? i : i + 1; });
            return load - loops.load(other) > margin ? other : *here;
        }};
}

} // namespace LOOPS_ABI
} // namespace loops
