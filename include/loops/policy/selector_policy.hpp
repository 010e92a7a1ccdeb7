// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_SELECTOR_POLICY_HPP
#define LOOPS_POLICY_SELECTOR_POLICY_HPP

#include <loops/policy/default_policy.hpp>

#include <string>

namespace loops {
inline namespace LOOPS_ABI {

/// As default_policy, on a backend that waits for readiness: epoll, kqueue or select.
///
/// Asio fixes its backend when it is compiled, so this policy does not bring one: it makes sure that
/// the program has one of that kind, where it relies on what only such a one does. `loops::backend()`
/// tells which it is.
class LOOPS_DECL selector_policy : public default_policy
{
public:
    /// Makes a policy.
    /// @param where As default_policy's.
    /// @throws system_error with `error::backend_unavailable` where this build holds a completion
    /// backend; its text names that, and the build option that brings another.
    explicit selector_policy(creation where = creation::every_thread);

    std::string name() const override;

protected:
    bool current_is_thread_bound() const noexcept override;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
