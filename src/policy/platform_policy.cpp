// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/policy/platform_policy.hpp>

#include <typeinfo>

namespace loops {
inline namespace LOOPS_ABI {

platform_policy::platform_policy(creation where) : default_policy(where) {}

std::string platform_policy::name() const
{
    return "platform";
}

bool platform_policy::current_is_thread_bound() const noexcept
{
    return typeid(*this) == typeid(platform_policy);
}

} // namespace LOOPS_ABI
} // namespace loops
