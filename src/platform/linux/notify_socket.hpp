// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_LINUX_NOTIFY_SOCKET_HPP
#define LOOPS_SRC_PLATFORM_LINUX_NOTIFY_SOCKET_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include <optional>
#include <string>

// The receiving end of what sd_notify(3) sends.

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// Makes a datagram socket, close-on-exec and non-blocking, with an abstract name that the kernel chooses, and
/// gives it as `NOTIFY_SOCKET` wants it. The error names the call, as those of a start do.
int make_notify_socket(std::string& name, error_code& ec);

/// A datagram, and who sent it: the kernel says so.
struct notification
{
    pid_type sender = 0;
    std::string text;
};

/// Takes the next one; nothing: there is none now. Descriptors that come with it are closed, which is what
/// `sd_notify_barrier` waits for.
std::optional<notification> take_notification(int socket);

/// Whether a process is in the group of that leader, as far as it still lives.
bool is_in_group(pid_type pid, pid_type leader) noexcept;

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
