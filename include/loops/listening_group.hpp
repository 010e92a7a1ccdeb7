// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_LISTENING_GROUP_HPP
#define LOOPS_LISTENING_GROUP_HPP

#include <loops/config.hpp>
#include <loops/connection_limit.hpp>
#include <loops/placing_acceptor.hpp>
#include <loops/policy/pool_policy.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/socket_base.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

/// What decides which of a group's sockets gets a connection.
enum class connection_steering
{
    /// A hash of the peer's and the own address and port, which is chance: of 16 loops, the busiest
    /// was measured to have 4.1, 1.9 and 1.3 times the mean of 8, 64 and 512 connections.
    hash,
    /// The CPU that receives the connection: the loop whose thread is bound to it gets it.
    cpu,
};

/// How a listening_group is made.
struct listening_options
{
    /// How many connections there may be at a time, on all loops together.
    connection_limit limit;
    /// What each connection's lease counts for; at least 0. It can be re-weighed.
    std::int64_t weight = 1;
    /// How many connections the kernel holds for each loop that were not accepted yet.
    int backlog = asio::socket_base::max_listen_connections;
};

namespace detail {

// What the kernel was brought to.
struct opened_group
{
    std::vector<socket_owner> sockets; // by loop
    connection_steering steering = connection_steering::hash;
    std::string reason;
};

LOOPS_DECL opened_group open_group(pool_policy& pool, int family, int type, int protocol,
    const void* address, std::size_t size, int backlog);

// Says that a loop of a group could not accept, and tries again.
LOOPS_DECL void log_accept_error(asio::io_context& loop, const error_code& ec);

} // namespace detail

/// A listening socket for each loop of a pool, all on one endpoint (`SO_REUSEPORT`): the kernel deals
/// the connections, and each stays on the loop that accepts it, without a hop.
///
/// Where the pool's threads are bound to CPUs (pool_options::pin), a connection goes to the loop of
/// the CPU that receives it; with several loops on one CPU, to one of them at random. CPUs that
/// receive and have no loop are left to the hash. steering() and describe() tell what it came to.
///
/// The pool's chooser is not asked, and a loop that is busy gets its share all the same: a
/// placing_acceptor does better where connections differ in their work.
///
/// The loops that the pool has when the group is made are those that it serves. No other sockets
/// with `SO_REUSEPORT`, of this or another process, may be on the endpoint: the kernel would deal
/// connections to them as well, and number the sockets otherwise.
///
/// Have it closed where the pool drains: `pool.on_drain([&] { group.close(); })`.
///
/// @tparam Protocol A protocol over IP that has connections.
/// @tparam MakeExecutor As placing_acceptor's.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe, but for destruction and moves.
///
/// @par Lifetime
/// The pool may be closed before it is destroyed.
template <class Protocol = asio::ip::tcp, class MakeExecutor = on_loop>
class listening_group
{
public:
    /// Where it listens.
    using endpoint_type = typename Protocol::endpoint;
    /// What accepts on each loop.
    using acceptor_type = placing_acceptor<Protocol, MakeExecutor>;
    /// What a connection is.
    using socket_type = typename acceptor_type::socket_type;

    /// Opens the sockets: all of them, or none. Starts the pool.
    ///
    /// @param at Where; with port 0, the free one that the first socket takes is the others' too.
    /// @throws system_error with what the system says; what pool_policy::start() throws.
    listening_group(pool_policy& pool, const endpoint_type& at,
        const listening_options& options = {}, MakeExecutor make_executor = {});

    /// Takes the other's sockets; the other may only be destroyed.
    listening_group(listening_group&&) noexcept = default;
    listening_group& operator=(listening_group&&) = delete;

    /// Closes, as close() does.
    ~listening_group() { close(); }

    /// How many loops accept.
    std::size_t size() const noexcept { return acceptors_.size(); }

    /// The acceptor of one loop: what it accepts belongs to that loop, and its handlers run there
    /// unless they have executors of their own. The leases count on the loop.
    /// @pre `index < size()`
    acceptor_type& acceptor(std::size_t index) { return *acceptors_[index]; }

    /// Accepts on each loop until the group is closed.
    ///
    /// Where a loop cannot accept, for want of descriptors or memory, that is said through the log
    /// hook, and it tries again after 100 ms.
    ///
    /// @param handler Called as `handler(socket, lease)` on the connection's own loop; `socket` is a
    /// socket_type, which turns into a `Protocol::socket`. Each loop has a copy. An exception of the
    /// handler leaves a handler of the loop; the loop accepts on.
    template <class Handler>
    void start(const Handler& handler);

    /// Accepts no more: each socket closes when its loop next runs. Connections that were accepted
    /// stay.
    void close()
    {
        for (const auto& each : acceptors_)
            each->close();
    }

    /// What the sockets are bound to.
    endpoint_type local_endpoint() const { return acceptors_.front()->local_endpoint(); }

    /// What decides which loop gets a connection.
    connection_steering steering() const noexcept { return steering_; }

    /// The same in words, with the reason; one line for a log.
    const std::string& describe() const noexcept { return reason_; }

private:
    // By loop; what start() left there shares them.
    std::vector<std::shared_ptr<acceptor_type>> acceptors_;
    connection_steering steering_ = connection_steering::hash;
    std::string reason_;
};

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/listening_group.hpp>

#endif
