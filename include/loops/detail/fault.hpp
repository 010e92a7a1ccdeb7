// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_FAULT_HPP
#define LOOPS_DETAIL_FAULT_HPP

#include <loops/config.hpp>

#include <atomic>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The seam for faults. Before a system call that can fail for want of something, the platform
// layer asks the hook, with the call's name ("pidfd_open", "epoll_ctl", "thread", ...); an errno
// that it returns is reported as if the kernel had said it, and the call is not made.
using fault_function = int (*)(const char* call);

extern LOOPS_DECL std::atomic<fault_function> fault_hook;

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
