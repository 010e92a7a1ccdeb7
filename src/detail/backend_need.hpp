// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_BACKEND_NEED_HPP
#define LOOPS_SRC_DETAIL_BACKEND_NEED_HPP

#include <loops/policy/default_policy.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// How a backend waits.
enum class backend_kind
{
    readiness,
    completion,
};

// Gives `where` back if this build's backend is of the kind that a policy needs; throws
// backend_unavailable else.
creation need_backend(backend_kind kind, const char* policy, creation where);

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
