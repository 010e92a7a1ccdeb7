// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_PRIORITY_POLICY_HPP
#define LOOPS_POLICY_PRIORITY_POLICY_HPP

#include <loops/policy.hpp>
#include <loops/policy/wrapping_policy.hpp>
#include <loops/priority_executor.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {

/// How a priority_policy orders handlers.
struct priority_options
{
    /// How many priorities there are, 1 to 32: from 0, the lowest, to `levels - 1`.
    int levels = 4;

    /// How often in a row, in handlers, a priority that has any waiting is passed over before it has
    /// one turn; at least 1. Nothing starves: the first handler of a priority is overtaken by at
    /// most `ageing + 30` others.
    ///
    /// It is a trade: a priority that never runs dry leaves each lower one a share of about
    /// 1/ageing. With the default, three lower priorities take less than 5% from it together, and
    /// where handlers take 10 us, what is lowest waits for less than a millisecond.
    ///
    /// Handlers are counted because a clock would cost more than most of them: two readings a
    /// handler are 50 ns.
    std::uint32_t ageing = 64;
};

/// A policy that gives out executors with priorities for the loops of another one.
///
/// All else is the wrapped policy's. The order is that of one loop; where several threads run it,
/// of the starts of its handlers. See priority_executor.
///
/// Executors for the same loop share one order, whichever priority_policy gave them; the smallest
/// `ageing` that any of these asked for holds there.
///
/// @code
/// const auto policy = std::make_shared<loops::priority_policy>(
///     std::make_shared<loops::pool_policy>(4));
/// asio::basic_waitable_timer<std::chrono::steady_clock,
///     asio::wait_traits<std::chrono::steady_clock>, loops::priority_executor>
///     timer(policy->get_executor(2));
/// @endcode
class LOOPS_DECL priority_policy : public wrapping_policy
{
public:
    /// Wraps a policy.
    /// @throws system_error with `invalid_argument` for a null one, and for options out of range.
    explicit priority_policy(
        std::shared_ptr<event_loop_policy> inner, priority_options options = {});

    ~priority_policy() override;

    /// The wrapped policy's, after `priority/`.
    std::string name() const override;

    /// Gives an executor of the loop that the wrapped policy selects.
    ///
    /// @param priority 0 to `levels() - 1`; greater ones come first.
    /// @throws As select_event_loop(); system_error with `invalid_argument` for a priority out of
    /// range.
    priority_executor get_executor(int priority, const selection& what = {});

    /// Gives an executor of that loop, which may be any: for work that is to stay where it is.
    ///
    /// @throws system_error with `invalid_argument` for a priority out of range, and with
    /// `error::loop_closed`.
    priority_executor get_executor(int priority, asio::io_context& loop);

    /// How many priorities there are.
    int levels() const noexcept { return options_.levels; }

private:
    void check(int priority) const;

    const priority_options options_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
