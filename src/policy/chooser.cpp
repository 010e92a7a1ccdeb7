// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/policy/chooser.hpp>

#include "detail/loop_record.hpp"

#include <atomic>
#include <memory>

namespace loops {
inline namespace LOOPS_ABI {

std::int64_t pool_view::load(std::size_t index) const noexcept
{
    return static_cast<const std::shared_ptr<detail::loop_record>*>(loops_)[index]->load();
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

} // namespace LOOPS_ABI
} // namespace loops
