// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/policy/proactor_policy.hpp>

#include "detail/backend_need.hpp"

#include <typeinfo>

namespace loops {
inline namespace LOOPS_ABI {

proactor_policy::proactor_policy(creation where)
    : default_policy(detail::need_backend(detail::backend_kind::completion, "proactor", where))
{}

std::string proactor_policy::name() const
{
    return "proactor";
}

bool proactor_policy::current_is_thread_bound() const noexcept
{
    return typeid(*this) == typeid(proactor_policy);
}

} // namespace LOOPS_ABI
} // namespace loops
