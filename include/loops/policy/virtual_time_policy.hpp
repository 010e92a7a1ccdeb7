// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_VIRTUAL_TIME_POLICY_HPP
#define LOOPS_POLICY_VIRTUAL_TIME_POLICY_HPP

#include <loops/loop_clock.hpp>
#include <loops/policy.hpp>
#include <loops/policy/wrapping_policy.hpp>
#include <loops/priority_executor.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
class virtual_time;
} // namespace detail

/// How a virtual_time_policy treats time and order.
struct virtual_time_options
{
    /// Whether the time jumps by itself; else it stands until virtual_time_policy::advance().
    bool auto_advance = true;

    /// For how long, in real time, the loops must have had nothing to run before the time jumps. With 0, it
    /// jumps at once: right where all that is waited for is timers. What comes from outside, as the end of a
    /// child or bytes of a socket, takes real time, in which the time jumps on: give it more than that takes, or
    /// set_auto_advance(false) until it has come.
    std::chrono::nanoseconds idle{0};

    /// A seed: what is ready on executors of the policy runs in an order that this chooses. Nothing: in the
    /// order in which it became ready.
    std::optional<std::uint64_t> shuffle;
};

/// A policy for tests: on its loops time does not pass, but jumps to what is waited for next as soon as there is
/// nothing to run.
///
/// The time is that of @ref loop_clock, by which @ref loop_timer and all that waits in Loops itself go: deadlines
/// and grace periods of processes, a supervisor's back-off, limits of drains, idle keys, intervals at which
/// children are looked at, and `run_for()` and its siblings of the policy's loops. So hours of such behaviour are
/// tested in milliseconds. It begins as the real time, and is one for the whole process while any such policy
/// (or what it wraps) lives.
///
/// The time jumps while loops of the policy are run through Loops, when none of them has anything to run, to the
/// next deadline of a timer of loop_clock's on any of them, or of a drain; what is due at one moment becomes ready
/// in one go. With no deadline it stands. Where one thread runs one loop, and nothing comes from outside, the same
/// program gives the same order of handlers each time; with a seed, the same for that seed. Run a test with many
/// seeds: one that fails has found an order that the code did not expect, and its seed repeats it.
///
/// What stays real: timers of other clocks, `loop_watch`, slow callbacks and counters, which measure; threads
/// that the threaded and signal watchers block in the kernel.
///
/// @code
/// loops::policy_scope scope(std::make_shared<loops::virtual_time_policy>());
/// loops::loop_timer timer(loops::get_event_loop(), std::chrono::hours(24));
/// timer.async_wait([](loops::error_code) { std::cout << "a day later\n"; });
/// loops::run_loop(loops::get_event_loop()); // returns at once
/// @endcode
class LOOPS_DECL virtual_time_policy : public wrapping_policy
{
public:
    /// Wraps a default_policy.
    explicit virtual_time_policy(virtual_time_options options = {});

    /// Wraps a policy: the loops that it makes from now on, and those that are set by this policy, are run in
    /// virtual time.
    /// @throws system_error with `invalid_argument` for a null policy, and for a negative `idle`.
    explicit virtual_time_policy(
        std::shared_ptr<event_loop_policy> inner, virtual_time_options options = {});

    ~virtual_time_policy() override;

    std::string name() const override;
    void set_event_loop(asio::io_context* loop) override;
    asio::io_context& select_event_loop(const selection& what = {}) override;

    /// The executor of the loop that is selected, by which the seed orders what is ready: I/O objects,
    /// timers, handlers and coroutines may have it. Its priority is 0.
    /// @throws As select_event_loop().
    priority_executor get_executor(const selection& what = {});

    /// The same of a loop of the policy's.
    /// @throws system_error with `error::loop_closed`.
    priority_executor get_executor(asio::io_context& loop);

    /// The time: `loop_clock::now()`.
    loop_clock::time_point now() const noexcept { return loop_clock::now(); }

    /// Moves the time on. Loops that run see what has become due within a millisecond.
    /// @param by How far; 0 or more.
    /// @throws system_error with `invalid_argument` for less.
    void advance(loop_clock::duration by);

    /// Whether the time jumps by itself from now on.
    void set_auto_advance(bool on) noexcept;
    /// Whether the time jumps by itself.
    bool auto_advance() const noexcept;

private:
    const virtual_time_options options_;
    const std::shared_ptr<detail::virtual_time> time_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
