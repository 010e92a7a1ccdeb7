// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_LOOP_CLOCK_HPP
#define LOOPS_LOOP_CLOCK_HPP

#include <loops/config.hpp>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/wait_traits.hpp>

#include <chrono>

namespace loops {
inline namespace LOOPS_ABI {

/// The clock of everything in Loops that waits: `std::chrono::steady_clock`, and where a
/// virtual_time_policy lives, that policy's time.
///
/// Use it, and @ref loop_timer, in code whose waits are to be tested without waiting. Its time points are
/// those of `steady_clock`.
///
/// @par Thread safety
/// Safe.
class LOOPS_DECL loop_clock
{
public:
    /// What a standard clock has: as `steady_clock`'s.
    using duration = std::chrono::steady_clock::duration;
    /// As `steady_clock`'s.
    using rep = duration::rep;
    /// As `steady_clock`'s.
    using period = duration::period;
    /// The very type of `steady_clock`.
    using time_point = std::chrono::steady_clock::time_point;

    /// Virtual time never goes back either.
    static constexpr bool is_steady = true;

    /// The time: in every thread of the process the same.
    static time_point now() noexcept;
};

namespace detail {

// How long Asio is to wait at the most, before it asks the clock again, for what is due in `left`.
LOOPS_DECL loop_clock::duration before_next_look(loop_clock::duration left);

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

namespace boost {
namespace asio {

// What Asio has for clocks that may jump.
template <>
struct wait_traits<loops::loop_clock>
{
    static loops::loop_clock::duration to_wait_duration(const loops::loop_clock::duration& left)
    {
        return loops::detail::before_next_look(left);
    }

    static loops::loop_clock::duration to_wait_duration(const loops::loop_clock::time_point& at)
    {
        return loops::detail::before_next_look(at - loops::loop_clock::now());
    }
};

} // namespace asio
} // namespace boost

namespace loops {
inline namespace LOOPS_ABI {

/// A timer of Asio's by loop_clock, as `asio::steady_timer`, but for the clock.
using loop_timer = asio::basic_waitable_timer<loop_clock>;

} // namespace LOOPS_ABI
} // namespace loops

#endif
