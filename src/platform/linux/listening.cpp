// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/listening.hpp"

#include "platform/fault.hpp"
#include "platform/last_error.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <cerrno>
#include <map>

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

socket_owner::~socket_owner()
{
    if (socket_ >= 0)
        ::close(socket_);
}

} // namespace detail

namespace platform {
namespace {

static_assert(sizeof(socket_address::bytes) >= sizeof(sockaddr_storage));

sockaddr* as_sockaddr(socket_address& address) noexcept
{
    return reinterpret_cast<sockaddr*>(address.bytes);
}

const sockaddr* as_sockaddr(const socket_address& address) noexcept
{
    return reinterpret_cast<const sockaddr*>(address.bytes);
}

bool set_option(int socket, int option, int value) noexcept
{
    return ::setsockopt(socket, SOL_SOCKET, option, &value, sizeof value) == 0;
}

detail::socket_owner open_and_bind(
    int family, int type, int protocol, const socket_address& at, bool shares, error_code& ec)
{
    const bool fails = injected_fault("socket");
    detail::socket_owner made(fails ? -1 : ::socket(family, type | SOCK_CLOEXEC, protocol));
    const bool is_ip = family == AF_INET || family == AF_INET6;
    ec = {};
    if (made && (!is_ip || set_option(made.get(), SO_REUSEADDR, 1)) &&
        (!shares || set_option(made.get(), SO_REUSEPORT, 1)) &&
        ::bind(made.get(), as_sockaddr(at), static_cast<socklen_t>(at.size)) == 0)
        return made;
    ec = last_error();
    return {};
}

// A program that gives the number of the socket for a connection. Numbers that no socket has leave
// the choice to the hash.
class steering_program
{
public:
    explicit steering_program(const std::vector<std::optional<unsigned>>& cpu_of)
    {
        std::map<unsigned, std::vector<unsigned>> sockets_on;
        bool is_identity = true;
        for (unsigned index = 0; index < cpu_of.size(); ++index)
        {
            if (cpu_of[index])
                sockets_on[*cpu_of[index]].push_back(index);
            is_identity = is_identity && cpu_of[index] == index;
        }
        load(SKF_AD_CPU);
        if (is_identity)
        {
            add(BPF_RET | BPF_A, 0);
            return;
        }
        for (const auto& [cpu, sockets] : sockets_on)
            send_from(cpu, sockets);
        add(BPF_RET | BPF_K, ~0U);
    }

    // The kernel takes so many instructions, and jumps so far as 8 bits tell.
    bool fits() const noexcept { return fits_ && steps_.size() <= BPF_MAXINSNS; }

    sock_fprog get() noexcept
    {
        return {static_cast<unsigned short>(steps_.size()), steps_.data()};
    }

private:
    void add(unsigned code, unsigned value, unsigned if_true = 0, unsigned if_false = 0)
    {
        fits_ = fits_ && if_true <= 255 && if_false <= 255;
        steps_.push_back({static_cast<__u16>(code), static_cast<__u8>(if_true),
            static_cast<__u8>(if_false), value});
    }

    void load(int what) { add(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(SKF_AD_OFF + what)); }

    void send_from(unsigned cpu, const std::vector<unsigned>& sockets)
    {
        const auto count = static_cast<unsigned>(sockets.size());
        const unsigned length = count == 1 ? 1 : 2 + 2 * (count - 1) + 1;
        add(BPF_JMP | BPF_JEQ | BPF_K, cpu, 0, length);
        if (count > 1)
        {
            load(SKF_AD_RANDOM);
            add(BPF_ALU | BPF_MOD | BPF_K, count);
            for (unsigned i = 0; i + 1 < count; ++i)
            {
                add(BPF_JMP | BPF_JEQ | BPF_K, i, 0, 1);
                add(BPF_RET | BPF_K, sockets[i]);
            }
        }
        add(BPF_RET | BPF_K, sockets.back());
    }

    std::vector<sock_filter> steps_;
    bool fits_ = true;
};

} // namespace

error_code make_non_blocking(int socket) noexcept
{
    const int flags = ::fcntl(socket, F_GETFL);
    if (flags < 0 || ::fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0)
        return last_error();
    return {};
}

detail::socket_owner accept_connection(int listening, socket_address& peer, error_code& ec) noexcept
{
    for (;;)
    {
        socklen_t size = sizeof peer.bytes;
        const int accepted = injected_fault("accept4")
                                 ? -1
                                 : ::accept4(listening, as_sockaddr(peer), &size, SOCK_CLOEXEC);
        if (accepted >= 0)
        {
            peer.size = std::min<std::size_t>(size, sizeof peer.bytes);
            ec = {};
            return detail::socket_owner(accepted);
        }
        if (errno == EINTR)
            continue;
        ec = errno == EAGAIN ? make_error_code(asio::error::would_block) : last_error();
        return {};
    }
}

bool is_of_one_connection(const error_code& ec) noexcept
{
    if (ec.category() != boost::system::system_category())
        return false;
    constexpr int all[] = {ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET,
        EHOSTUNREACH, ENETUNREACH, ETIMEDOUT};
    return std::find(std::begin(all), std::end(all), ec.value()) != std::end(all);
}

std::optional<unsigned> incoming_cpu(int socket) noexcept
{
    int cpu = -1;
    socklen_t size = sizeof cpu;
    if (::getsockopt(socket, SOL_SOCKET, SO_INCOMING_CPU, &cpu, &size) != 0 || cpu < 0)
        return std::nullopt;
    return static_cast<unsigned>(cpu);
}

detail::socket_owner open_bound(
    int family, int type, int protocol, const socket_address& at, error_code& ec)
{
    return open_and_bind(family, type, protocol, at, false, ec);
}

std::vector<detail::socket_owner> open_sharing(
    int family, int type, int protocol, socket_address& at, std::size_t count, error_code& ec)
{
    std::vector<detail::socket_owner> sockets;
    sockets.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
    {
        sockets.push_back(open_and_bind(family, type, protocol, at, true, ec));
        if (!ec)
            ec = read_address(sockets.back().get(), at);
        if (ec)
            return {};
    }
    return sockets;
}

error_code read_address(int socket, socket_address& at) noexcept
{
    socklen_t size = sizeof at.bytes;
    if (::getsockname(socket, as_sockaddr(at), &size) != 0)
        return last_error();
    at.size = size;
    return {};
}

error_code steer_by_cpu(int first, const std::vector<std::optional<unsigned>>& cpu_of)
{
    steering_program program(cpu_of);
    if (!program.fits())
        return make_error_code(boost::system::errc::value_too_large);
    const sock_fprog steps = program.get();
    if (injected_fault("reuseport_cbpf") ||
        ::setsockopt(first, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &steps, sizeof steps) != 0)
        return last_error();
    return {};
}

error_code listen_on(int socket, int backlog) noexcept
{
    if (injected_fault("listen") || ::listen(socket, backlog) != 0)
        return last_error();
    return {};
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
