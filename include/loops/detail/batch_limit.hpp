// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_BATCH_LIMIT_HPP
#define LOOPS_DETAIL_BATCH_LIMIT_HPP

#include <loops/config.hpp>

#include <chrono>
#include <cstddef>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// When a batch has held its loop up for long enough. It doubles between looks at the clock: short
// items do not pay for these, and long ones run over by as much as the batch took so far, at most.
class batch_limit
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    // Measured: what a handler costs beside its items has vanished from the figures by then.
    static constexpr std::size_t most = 256;
    // About a hop to a sleeping loop and back: whoever waits behind a batch has waited as long.
    static constexpr std::chrono::microseconds longest{100};

    explicit batch_limit(time_point begin) noexcept : begin_(begin) {}

    // After each item.
    template <class Clock>
    bool reached(Clock now)
    {
        ++items_;
        if ((items_ & (items_ - 1)) != 0)
            return false;
        return items_ == most || now() - begin_ >= longest;
    }

private:
    const time_point begin_;
    std::size_t items_ = 0;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
