// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_PIDFD_SUPPORT_HPP
#define LOOPS_SRC_DETAIL_PIDFD_SUPPORT_HPP

#include <loops/config.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Why children cannot be watched through pidfds in this process: what was refused, and by what
// call. Null where they can. Tried once.
const char* why_no_pidfds() noexcept;

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
