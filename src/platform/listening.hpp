// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_LISTENING_HPP
#define LOOPS_SRC_PLATFORM_LISTENING_HPP

#include <loops/config.hpp>
#include <loops/detail/socket_owner.hpp>
#include <loops/error.hpp>

#include <cstddef>
#include <optional>
#include <vector>

// What Loops asks of the system about sockets that listen. Each platform's folder implements it.

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// A socket's address, as the system has it.
struct socket_address
{
    alignas(8) unsigned char bytes[128];
    std::size_t size = 0;
};

/// Makes accept_connection() return at once where nobody has come.
error_code make_non_blocking(int socket) noexcept;

/// Accepts a connection, whose descriptor is not inherited by programs that the process starts.
/// @return Empty where `ec` is set: to `would_block` where nobody has come.
detail::socket_owner accept_connection(
    int listening, socket_address& peer, error_code& ec) noexcept;

/// Whether an error of accept_connection() concerns one connection that is gone, so that the next
/// may follow at once. accept(2) names them.
bool is_of_one_connection(const error_code& ec) noexcept;

/// The CPU on which the last packet of a connection arrived, where the system tells.
std::optional<unsigned> incoming_cpu(int socket) noexcept;

/// Opens a socket with SO_REUSEADDR and binds it. It does not listen yet.
/// @return Empty where `ec` is set.
detail::socket_owner open_bound(
    int family, int type, int protocol, const socket_address& at, error_code& ec);

/// Opens sockets that share one address (SO_REUSEPORT), and binds them. They do not listen yet.
/// @param at Port 0 is replaced by the port that the first socket got.
/// @return Empty where `ec` is set; nothing is open then.
std::vector<detail::socket_owner> open_sharing(
    int family, int type, int protocol, socket_address& at, std::size_t count, error_code& ec);

/// Reads what a socket is bound to.
error_code read_address(int socket, socket_address& at) noexcept;

/// Sends each connection to a socket by the CPU that receives it, where that has sockets; else the
/// system goes by a hash of the addresses. Where several sockets have one CPU, it deals at random.
///
/// To be called before the first listens, which is then in the order of `cpu_of`: the system numbers
/// the sockets as they begin to listen.
///
/// @param first The first of the sockets.
/// @param cpu_of Of each socket, its CPU.
error_code steer_by_cpu(int first, const std::vector<std::optional<unsigned>>& cpu_of);

error_code listen_on(int socket, int backlog) noexcept;

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
