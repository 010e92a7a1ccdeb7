// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_PLATFORM_POLICY_HPP
#define LOOPS_POLICY_PLATFORM_POLICY_HPP

#include <loops/policy/default_policy.hpp>

#include <string>

namespace loops {
inline namespace LOOPS_ABI {

/// As default_policy, on the best backend that this build has on its platform, which is the one that
/// it has: made everywhere, where selector_policy and proactor_policy refuse one kind each.
class LOOPS_DECL platform_policy : public default_policy
{
public:
    /// Makes a policy.
    /// @param where As default_policy's.
    explicit platform_policy(creation where = creation::every_thread);

    std::string name() const override;

protected:
    bool current_is_thread_bound() const noexcept override;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
