// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_LAST_ERROR_HPP
#define LOOPS_SRC_PLATFORM_LAST_ERROR_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include <cerrno>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// What `errno` says.
inline error_code last_error() noexcept
{
    return error_code(errno, boost::system::system_category());
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
