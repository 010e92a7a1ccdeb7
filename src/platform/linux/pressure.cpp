// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/pressure.hpp"

#include "platform/fault.hpp"
#include "platform/last_error.hpp"
#include "platform/posix/descriptor.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

int open_memory_pressure(error_code& ec) noexcept
{
    // In microseconds; a window of a multiple of two seconds is what everybody may ask for: Linux's
    // Documentation/accounting/psi.rst.
    static constexpr char trigger[] = "some 100000 2000000";
    ec.clear();
    const int fd = injected_fault("open_pressure")
                       ? -1
                       : ::open("/proc/pressure/memory", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && ::write(fd, trigger, sizeof trigger) == static_cast<ssize_t>(sizeof trigger))
        return fd;
    ec = last_error();
    close_descriptor(fd);
    return -1;
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
