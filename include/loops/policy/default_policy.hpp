// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_DEFAULT_POLICY_HPP
#define LOOPS_POLICY_DEFAULT_POLICY_HPP

#include <loops/policy.hpp>

#include <memory>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
class thread_slots;
} // namespace detail

/// Where a policy makes a loop on demand.
enum class creation
{
    /// In every thread that asks.
    every_thread,
    /// In the thread that entered `main`, as asyncio does.
    main_thread,
    /// Nowhere: loops are set.
    never,
};

/// One current loop a thread, run by the caller; the process's policy unless another is set.
///
/// A loop made on demand lives until its thread ends or the policy is closed. Once
/// `set_event_loop(nullptr)` was called in a thread, or the loop that was set there has died, none
/// is made on demand for that thread until a loop is set again: code that lost its loop hears of
/// it, and does not silently get one that nobody runs.
class LOOPS_DECL default_policy : public event_loop_policy
{
public:
    /// Makes a policy that makes loops on demand where `where` says.
    explicit default_policy(creation where = creation::every_thread);
    ~default_policy() override;

    std::string name() const override;
    asio::io_context& get_event_loop() override;
    asio::io_context* existing_event_loop() noexcept override;
    void set_event_loop(asio::io_context* loop) override;
    void close() override;

protected:
    bool current_is_thread_bound() const noexcept override;

private:
    const creation where_;
    const std::unique_ptr<detail::thread_slots> slots_;
};

/// The same policy, by the name of what it does.
using per_thread_policy = default_policy;

} // namespace LOOPS_ABI
} // namespace loops

#endif
