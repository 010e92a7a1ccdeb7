// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_PRIORITY_FSM_HPP
#define LOOPS_DETAIL_PRIORITY_FSM_HPP

#include <loops/config.hpp>

#include <boost/core/bit.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Which level's first handler runs next: that of the highest level that has any; but a level that
// was passed over `ageing` times in a row is due, and what is due comes before what is not, the
// level that was passed over most often first.
//
// Time is counted in handlers. What a level is owed it is owed as a whole: were it each waiting
// handler that rose, a backlog of low ones would lift itself above all later high ones merely by
// being long.
//
// So the first handler of a level is overtaken by at most `ageing` + `most_levels` - 2 handlers: of
// the other levels only those can come before one that is due that were so earlier, each once.
class priority_fsm
{
public:
    static constexpr std::size_t most_levels = 32;

    // How many handlers wait.
    std::size_t waiting() const noexcept { return waiting_; }

    // The smallest number that was asked for holds: it keeps what the others promise.
    void limit_ageing(std::uint64_t most) noexcept { ageing_ = std::min(ageing_, most); }

    void add(std::size_t at) noexcept
    {
        level& to = levels_[at];
        if (to.waiting++ == 0)
        {
            to.since = turns_;
            occupied_ |= mask(1) << at;
        }
        ++waiting_;
    }

    // The level whose first handler runs now. Some handler must be waiting.
    std::size_t take() noexcept
    {
        const std::size_t chosen = choose();
        level& from = levels_[chosen];
        from.since = ++turns_;
        if (--from.waiting == 0)
            occupied_ &= ~(mask(1) << chosen);
        --waiting_;
        return chosen;
    }

private:
    using mask = std::uint32_t; // a bit for each of most_levels

    struct level
    {
        std::size_t waiting = 0;
        std::uint64_t since = 0; // the turn at which it was its first handler's to run
    };

    static std::size_t highest(mask of) noexcept
    {
        return static_cast<std::size_t>(boost::core::bit_width(of)) - 1;
    }

    std::size_t choose() const noexcept
    {
        std::size_t chosen = highest(occupied_);
        std::uint64_t needed = ageing_;
        for (mask left = occupied_; left != 0;)
        {
            const std::size_t each = highest(left);
            left &= ~(mask(1) << each);
            const std::uint64_t passed_over = turns_ - levels_[each].since;
            if (passed_over < needed)
                continue;
            chosen = each;
            needed = passed_over + 1;
        }
        return chosen;
    }

    std::array<level, most_levels> levels_{};
    mask occupied_ = 0;
    std::size_t waiting_ = 0;
    std::uint64_t turns_ = 0; // handlers that were taken
    std::uint64_t ageing_ = std::numeric_limits<std::uint64_t>::max();
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
