// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/policy/selector_policy.hpp>

#include "detail/backend_need.hpp"

#include <typeinfo>

namespace loops {
inline namespace LOOPS_ABI {

selector_policy::selector_policy(creation where)
    : default_policy(detail::need_backend(detail::backend_kind::readiness, "selector", where))
{}

std::string selector_policy::name() const
{
    return "selector";
}

bool selector_policy::current_is_thread_bound() const noexcept
{
    return typeid(*this) == typeid(selector_policy);
}

} // namespace LOOPS_ABI
} // namespace loops
