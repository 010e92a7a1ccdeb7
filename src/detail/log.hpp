// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_LOG_HPP
#define LOOPS_SRC_DETAIL_LOG_HPP

#include <loops/config.hpp>

#include <string_view>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Hands a message to the log hook. Not to be called with a lock held.
void log(std::string_view message) noexcept;

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
