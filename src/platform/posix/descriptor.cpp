// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/posix/descriptor.hpp"

#include "platform/fault.hpp"
#include "platform/last_error.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

int copy_descriptor(int fd, error_code& ec) noexcept
{
    const int copy = injected_fault("fcntl") ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    ec = copy < 0 ? last_error() : error_code();
    return copy;
}

void close_descriptor(int fd) noexcept
{
    if (fd >= 0)
        ::close(fd);
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
