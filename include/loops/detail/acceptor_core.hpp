// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_ACCEPTOR_CORE_HPP
#define LOOPS_DETAIL_ACCEPTOR_CORE_HPP

#include <loops/config.hpp>
#include <loops/connection_limit.hpp>
#include <loops/detail/socket_owner.hpp>
#include <loops/error.hpp>
#include <loops/lease.hpp>
#include <loops/policy.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class acceptor_core;

// A connection on its way to its handler. It refers to no loop's memory, so that it may wait on any
// loop and go down with that.
struct accepted
{
    socket_owner socket;
    lease place;
    // Who accepted; null for an empty one.
    std::shared_ptr<acceptor_core> by;
};

using accept_handler = asio::any_completion_handler<void(error_code, accepted)>;

// Fills a selection from the address of a peer. Empty: nothing is in it that is of use.
using peer_reader = std::function<void(const void* address, std::size_t size, selection& what)>;

// Takes the lease for a connection.
using placement = std::function<lease(const selection& what)>;

// What accepts on one loop, whatever the type of the sockets that come of it. All members may be
// called concurrently, and also when the loop is gone: its I/O objects go with the loop.
class LOOPS_DECL acceptor_core
{
public:
    acceptor_core(const acceptor_core&) = delete;
    acceptor_core& operator=(const acceptor_core&) = delete;

    // The socket has to be bound and to listen.
    static std::shared_ptr<acceptor_core> make(asio::io_context& loop, socket_owner listening,
        connection_limit limit, peer_reader read_peer, placement place);

    // The loop, or null once it is gone.
    virtual asio::io_context* loop() const noexcept = 0;

    // Names an accept, for cancel().
    virtual std::uint64_t next_id() noexcept = 0;

    // The handler is called on the core's strand, as it is, or destroyed with the loop. Throws
    // loop_closed.
    virtual void accept(std::uint64_t id, accept_handler handler) = 0;

    virtual void cancel(std::uint64_t id) = 0;
    virtual void cancel_all() = 0;
    virtual void close() = 0;

protected:
    acceptor_core() = default;
    virtual ~acceptor_core();
};

// Opens a socket that is bound and listens. Throws what the system says.
LOOPS_DECL socket_owner open_listening(
    int family, int type, int protocol, const void* address, std::size_t size, int backlog);

// Puts the address that a socket is bound to into `address`, and gives its size.
LOOPS_DECL std::size_t local_address(int socket, void* address, std::size_t capacity);

// A placement that asks a policy; a null one is the policy that answers on the acceptor's loop when
// a connection has come.
LOOPS_DECL placement place_by(
    const std::shared_ptr<event_loop_policy>& policy, std::int64_t weight);

// The bytes of an IP address as one number, spread over all bits.
LOOPS_DECL std::uint64_t hash_bytes(const unsigned char* bytes, std::size_t size) noexcept;

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
