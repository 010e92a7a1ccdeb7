// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_RESTART_DELAY_HPP
#define PREFORK_SERVER_RESTART_DELAY_HPP

#include <algorithm>
#include <chrono>

namespace prefork {

/// Decides how long to wait before a dead worker is replaced: not at all, unless workers die as
/// soon as they are born; then longer each time.
class restart_delay
{
public:
    using milliseconds = std::chrono::milliseconds;

    static constexpr milliseconds a_while{1000};
    static constexpr milliseconds first{50};
    static constexpr milliseconds longest{5000};

    /// @param lived How long the worker lived that has died now.
    milliseconds after(milliseconds lived) noexcept
    {
        const milliseconds now = next_;
        if (lived >= a_while)
        {
            next_ = milliseconds(0);
            return next_;
        }
        next_ = now == milliseconds(0) ? first : std::min(now * 2, longest);
        return now;
    }

private:
    milliseconds next_{0};
};

} // namespace prefork

#endif
