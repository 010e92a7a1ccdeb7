// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_GUEST_POLICY_HPP
#define LOOPS_POLICY_GUEST_POLICY_HPP

#include <loops/loop_guest.hpp>
#include <loops/policy.hpp>
#include <loops/policy/wrapping_policy.hpp>

#include <functional>
#include <memory>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {

/// A policy each of whose loops runs a guest, besides: see @ref loop_guest.
///
/// All else is the wrapped policy's, which has to run each of its loops by one thread. A loop has its guest from when this policy
/// first gives it out, and until it is destroyed.
class LOOPS_DECL guest_policy : public wrapping_policy
{
public:
    /// Makes a loop's guest. Called once for each loop, on the thread that asks for the loop.
    using guest_function = std::function<std::shared_ptr<loop_guest>(asio::io_context& loop)>;

    /// Wraps a policy.
    /// @param title What the policy is called, in front of the wrapped one's name.
    /// @throws system_error with `invalid_argument` for a null policy.
    guest_policy(
        std::string title, const guest_function& make, std::shared_ptr<event_loop_policy> inner);

    ~guest_policy() override;

    std::string name() const override;

    /// @throws As the wrapped policy's; and what making the guest throws, here and in what follows.
    asio::io_context& get_event_loop() override;
    void set_event_loop(asio::io_context* loop) override;
    asio::io_context& select_event_loop(const selection& what = {}) override;
    std::unique_ptr<event_loop> new_event_loop() override;
    void for_each_loop(const std::function<void(asio::io_context&)>& visit) override;

    /// The guest of a loop, which gets one now if it has none.
    std::shared_ptr<loop_guest> guest_of(asio::io_context& loop);

protected:
    std::unique_ptr<event_loop> new_callers_loop() override;

private:
    struct impl;
    const std::unique_ptr<impl> impl_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
