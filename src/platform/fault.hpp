// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_FAULT_HPP
#define LOOPS_SRC_PLATFORM_FAULT_HPP

#include <loops/detail/fault.hpp>

#include <cerrno>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// Asks the seam whether `call` is to fail; when it is, errno is set as the kernel would.
inline bool injected_fault(const char* call) noexcept
{
    const auto hook = detail::fault_hook.load(std::memory_order_acquire);
    if (hook == nullptr)
        return false;
    const int code = hook(call);
    if (code == 0)
        return false;
    errno = code;
    return true;
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
