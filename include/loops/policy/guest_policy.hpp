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
/// All else is the wrapped policy's, which has to run each of its loops by one thread. A loop has its guest until it is destroyed.
class LOOPS_DECL guest_policy : public wrapping_policy
{
public:
    /// Makes a loop's guest. Called once for each loop, on the thread that makes, sets or wraps it; it must not ask the policy for
    /// a loop.
    using guest_function = std::function<std::shared_ptr<loop_guest>(asio::io_context& loop)>;

    /// Wraps a policy: a guest comes with each loop that it makes from now on, with those that are set by this policy, and with the
    /// one that is current now, if there is one.
    /// @param title What the policy is called, in front of the wrapped one's name.
    /// @param make Makes the guests. What it throws, the call that the loop was made by throws.
    /// @throws system_error with `invalid_argument` for a null policy.
    guest_policy(
        std::string title, const guest_function& make, std::shared_ptr<event_loop_policy> inner);

    ~guest_policy() override;

    std::string name() const override;

    void set_event_loop(asio::io_context* loop) override;

    /// The guest of a loop, which gets one now if it has none.
    std::shared_ptr<loop_guest> guest_of(asio::io_context& loop);

private:
    struct impl;
    const std::shared_ptr<impl> impl_; // the wrapped policy may outlive this one
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
