// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_LINUX_READINESS_HPP
#define LOOPS_SRC_PLATFORM_LINUX_READINESS_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/watcher/descriptor_watcher.hpp>

#include <cstddef>

// Whether descriptors are ready, asked of an epoll descriptor (see make_epoll()), which is readable when one is.

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

struct ready_descriptor
{
    int fd = -1;
    descriptor_events events = descriptor_events::none;
};

/// Has one be reported once, when it is ready for one of those, or at once where it is.
void ask_once(int epoll, int fd, descriptor_events wanted, error_code& ec) noexcept;

/// Takes up to `size` reports, without waiting; gives how many.
std::size_t take_ready(int epoll, ready_descriptor* ready, std::size_t size) noexcept;

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
