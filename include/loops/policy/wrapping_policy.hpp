// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_WRAPPING_POLICY_HPP
#define LOOPS_POLICY_WRAPPING_POLICY_HPP

#include <loops/policy.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace loops {
inline namespace LOOPS_ABI {

/// A policy that answers some questions itself, and has another one, which it wraps, answer the rest.
///
/// Derive from it and override what is to change: everything here passes a call on to the wrapped
/// policy. The two are one as to threads, exceptions, drains, closing and the child watcher: what is
/// set on the one holds for the other, and closing either closes both. Policies that wrap can be
/// wrapped themselves. A loop that runs keeps the policy that made it alive, which is the wrapped one.
///
/// @par Thread safety
/// As event_loop_policy.
class LOOPS_DECL wrapping_policy : public event_loop_policy
{
public:
    ~wrapping_policy() override;

    /// The policy that is wrapped; never null.
    const std::shared_ptr<event_loop_policy>& inner() const noexcept { return inner_; }

    asio::io_context& get_event_loop() override;
    asio::io_context* existing_event_loop() noexcept override;
    void set_event_loop(asio::io_context* loop) override;
    std::unique_ptr<event_loop> new_event_loop() override;
    asio::io_context& select_event_loop(const selection& what = {}) override;
    void for_each_loop(const std::function<void(asio::io_context&)>& visit) override;
    void set_loop_factory(loop_factory factory) override;
    task_factory get_task_factory() const override;
    std::shared_ptr<child_watcher> get_child_watcher() override;
    void set_child_watcher(std::shared_ptr<child_watcher> watcher) override;
    void start() override;
    void stop() override;
    void join() override;
    drain_report drain(std::chrono::nanoseconds limit) override;
    void close() override;

protected:
    /// Wraps a policy.
    /// @throws system_error with `invalid_argument` for a null one.
    explicit wrapping_policy(std::shared_ptr<event_loop_policy> inner);

    void run_started(std::uint64_t since) override;
    std::unique_ptr<event_loop> new_callers_loop() override;

    /// As the wrapped policy's. A class that overrides get_event_loop() overrides this as well.
    bool current_is_thread_bound() const noexcept override;

private:
    const std::shared_ptr<event_loop_policy> inner_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
