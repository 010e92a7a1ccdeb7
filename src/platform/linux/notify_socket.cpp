// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/linux/notify_socket.hpp"

#include "platform/fault.hpp"
#include "platform/spawn_error.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

// systemd's own limit.
constexpr std::size_t most_text = 4096;
// SCM_MAX_FD of the kernel.
constexpr std::size_t most_descriptors = 253;

bool name_and_credit(int fd, ::sockaddr_un& name, ::socklen_t& size) noexcept
{
    name.sun_family = AF_UNIX;
    const int on = 1;
    // A name of no length has the kernel choose one: unix(7), "autobind".
    if (::bind(fd, reinterpret_cast<const ::sockaddr*>(&name), sizeof name.sun_family) != 0 ||
        ::setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
        return false;
    size = sizeof name;
    return ::getsockname(fd, reinterpret_cast<::sockaddr*>(&name), &size) == 0;
}

void close_all(const ::cmsghdr& message) noexcept
{
    const std::size_t count = (message.cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t index = 0; index != count; ++index)
    {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(&message) + index * sizeof fd, sizeof fd);
        ::close(fd);
    }
}

} // namespace

int make_notify_socket(std::string& name, error_code& ec)
{
    ec.clear();
    ::sockaddr_un address{};
    ::socklen_t size = 0;
    const int fd = injected_fault("socket")
                       ? -1
                       : ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !name_and_credit(fd, address, size))
    {
        ec = make_spawn_error(spawn_call::socket, errno);
        if (fd >= 0)
            ::close(fd);
        return -1;
    }
    const std::size_t length = size - offsetof(::sockaddr_un, sun_path);
    name = '@' + std::string(address.sun_path + 1, length - 1);
    return fd;
}

std::optional<notification> take_notification(int socket)
{
    notification made;
    made.text.resize(most_text);
    alignas(::cmsghdr)
        std::array<char, CMSG_SPACE(sizeof(::ucred)) + CMSG_SPACE(sizeof(int) * most_descriptors)>
            control{};
    ::iovec part{made.text.data(), made.text.size()};
    ::msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ::ssize_t size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size < 0)
        return std::nullopt;
    made.text.resize(static_cast<std::size_t>(size));
    for (::cmsghdr* it = CMSG_FIRSTHDR(&message); it != nullptr; it = CMSG_NXTHDR(&message, it))
    {
        if (it->cmsg_level != SOL_SOCKET)
            continue;
        ::ucred sender{};
        if (it->cmsg_type == SCM_RIGHTS)
            close_all(*it);
        else if (it->cmsg_type == SCM_CREDENTIALS)
        {
            std::memcpy(&sender, CMSG_DATA(it), sizeof sender);
            made.sender = sender.pid;
        }
    }
    return made;
}

bool is_in_group(pid_type pid, pid_type leader) noexcept
{
    return pid > 0 && (pid == leader || ::getpgid(pid) == leader);
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
