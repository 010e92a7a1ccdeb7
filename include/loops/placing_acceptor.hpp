// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_PLACING_ACCEPTOR_HPP
#define LOOPS_PLACING_ACCEPTOR_HPP

#include <loops/config.hpp>
#include <loops/connection_limit.hpp>
#include <loops/detail/acceptor_core.hpp>
#include <loops/detail/default_token.hpp>
#include <loops/detail/io_context_of.hpp>
#include <loops/lease.hpp>
#include <loops/policy.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/basic_endpoint.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/strand.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

/// Makes the executor of a connection: that of its loop, for loops that one thread runs.
struct on_loop
{
    /// The loop's own executor.
    asio::io_context::executor_type operator()(asio::io_context& loop) const
    {
        return loop.get_executor();
    }
};

/// Makes the executor of a connection: a strand of its loop, for loops that several threads run.
struct on_strand
{
    /// A new strand.
    asio::strand<asio::io_context::executor_type> operator()(asio::io_context& loop) const
    {
        return asio::make_strand(loop);
    }
};

/// The key of a connection where nothing else is said: a hash of the peer's IP address, without the
/// port. An IPv4 address has the same as where it is mapped into IPv6.
template <class Protocol>
std::optional<std::uint64_t> peer_key(const asio::ip::basic_endpoint<Protocol>& peer)
{
    const asio::ip::address address = peer.address();
    const auto hash = [](const auto& bytes) {
        return detail::hash_bytes(bytes.data(), bytes.size());
    };
    if (address.is_v4())
        return hash(address.to_v4().to_bytes());
    if (address.to_v6().is_v4_mapped())
        return hash(asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_bytes());
    return hash(address.to_v6().to_bytes());
}

/// Peers that have no address, as those of local sockets, have no key.
template <class Endpoint>
std::optional<std::uint64_t> peer_key(const Endpoint&)
{
    return std::nullopt;
}

/// How a placing_acceptor goes about it.
template <class Protocol>
struct placing_options
{
    /// The policy that places the connections. It is not kept alive. Null: for each connection, the
    /// policy that answers on the acceptor's loop, which is the process's unless the loop is run
    /// inside of a policy_scope; set_event_loop_policy() then takes effect at once.
    std::shared_ptr<event_loop_policy> policy;
    /// How many connections there may be at a time.
    connection_limit limit;
    /// Gives selection::key of a connection, or none, from its peer's address.
    std::function<std::optional<std::uint64_t>(const typename Protocol::endpoint&)> key =
        [](const typename Protocol::endpoint& peer) { return peer_key(peer); };
    /// What each connection's lease counts for; at least 0. It can be re-weighed.
    std::int64_t weight = 1;
    /// How many connections the kernel holds that were not accepted yet.
    int backlog = asio::socket_base::max_listen_connections;
};

/// Accepts on one loop, and has the policy place each connection.
///
/// The connection is accepted first and placed then, so that the policy sees what it is like: the
/// CPU that received it (`SO_INCOMING_CPU`) and a key from its peer's address are in the selection
/// that it is asked with. The socket belongs to the chosen loop from its first moment, and holds
/// nothing of the one that accepted it.
///
/// @tparam Protocol The sockets' protocol, such as `asio::ip::tcp`.
/// @tparam MakeExecutor Called with the chosen loop, gives the executor for the socket, which has to
/// be that loop's: on_loop, on_strand or one's own. The result's type is part of the socket's, so
/// that a `beast::basic_stream` with the same executor type can be made of it.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: safe, but for destruction and moves. No strand is needed.
///
/// @par Lifetime
/// Its loop may be closed before it is destroyed. Where the loops that the policy chooses are others
/// than that, and closed while it still accepts, close the acceptor first: no socket can be made on a
/// loop at the moment that it goes.
///
/// @par Example
/// @code
/// void serve(loops::placing_acceptor<asio::ip::tcp>& acceptor)
/// {
///     acceptor.async_accept([&](auto ec, asio::ip::tcp::socket socket, loops::lease place) {
///         if (ec == asio::error::operation_aborted)
///             return;
///         if (!ec)
///             std::make_shared<session>(std::move(socket), std::move(place))->start();
///         serve(acceptor);
///     });
/// }
/// @endcode
///
/// @see listening_group, where each loop of a pool accepts for itself.
template <class Protocol, class MakeExecutor = on_loop>
class placing_acceptor
{
public:
    /// `tcp`, for example.
    using protocol_type = Protocol;
    /// Where it listens.
    using endpoint_type = typename Protocol::endpoint;
    /// What its constructors take.
    using options_type = placing_options<Protocol>;
    /// That of the loop that accepts.
    using executor_type = asio::io_context::executor_type;
    /// What a connection is: its executor is what `MakeExecutor` makes.
    using socket_type = asio::basic_stream_socket<Protocol,
        std::decay_t<std::invoke_result_t<const MakeExecutor&, asio::io_context&>>>;

    /// Opens a socket, binds it with `reuse_address`, and listens.
    ///
    /// @param loop The loop to accept on, which somebody has to run.
    /// @param at Where; port 0 takes a free one, which local_endpoint() tells.
    /// @throws system_error with what the system says, or with `error::loop_closed`.
    placing_acceptor(asio::io_context& loop, const endpoint_type& at, options_type options = {},
        MakeExecutor make_executor = {});

    /// Takes over the socket of a plain acceptor, which has been bound and listens; for options that
    /// are to be set before, and for descriptors that were inherited. It accepts on the loop of
    /// `listening`, which is left closed.
    ///
    /// @throws system_error with what the system says, with `error::loop_closed`, or with
    /// `invalid_argument` where the executor of `listening` is no loop's; `listening` is then as it
    /// was, or closed.
    template <class Executor>
    explicit placing_acceptor(asio::basic_socket_acceptor<Protocol, Executor>&& listening,
        options_type options = {}, MakeExecutor make_executor = {});

    /// Takes the other's socket; the other may only be destroyed.
    placing_acceptor(placing_acceptor&&) noexcept = default;
    placing_acceptor& operator=(placing_acceptor&&) = delete;

    /// Closes, as close() does.
    ~placing_acceptor()
    {
        if (core_)
            core_->close();
    }

    /// The executor of the loop that it accepts on.
    /// @pre The loop lives.
    executor_type get_executor() const { return executor_; }

    /// What the socket was bound to.
    endpoint_type local_endpoint() const { return local_; }

    /// Accepts a connection and has the policy place it.
    ///
    /// Several at a time are served in their order. An error of one connection, such as
    /// `connection_aborted`, is no error of this: the next connection is waited for.
    ///
    /// @param token The completion token. The handler runs on its associated executor, by default
    /// get_executor(): never inside of this function. To go on on the connection's own loop,
    /// dispatch to the socket's executor.
    ///
    /// @par Completion Signature
    /// @code void(error_code, socket_type, lease) @endcode With an error, the socket is not open and
    /// the lease is empty. The error is one of
    /// @li `operation_aborted`: cancelled, or the acceptor was closed; `bad_descriptor`: it was
    ///     closed before.
    /// @li `error::policy_closed`, or what else the policy refuses with. The connection that came is
    ///     closed.
    /// @li `too_many_files_open`, `no_buffer_space` or the like: the system is out of descriptors or
    ///     memory. The connection stays in the backlog, and the next accept finds the same until
    ///     something ends: wait for some 100 ms before it.
    /// @li `state_not_recoverable`: the policy, its chooser or the key function threw no
    ///     system_error. The exception leaves a handler of the acceptor's loop.
    ///
    /// Where the acceptor's loop is closed meanwhile, the handler is destroyed uncalled.
    ///
    /// @par Per-Operation Cancellation
    /// `terminal`, `partial`, `total`: no connection is lost; one that was accepted already is still
    /// delivered. The signal must live until the completion.
    ///
    /// @throws system_error with `error::loop_closed` where the acceptor's loop is gone.
    template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, socket_type, lease))
                  CompletionToken = detail::default_token>
    auto async_accept(CompletionToken&& token = detail::default_token())
    {
        return asio::async_initiate<CompletionToken, void(error_code, socket_type, lease)>(
            initiate(), token, core_, executor_, local_, make_executor_);
    }

    /// Cancels all accepts; they complete with `operation_aborted`.
    void cancel() { core_->cancel_all(); }

    /// Cancels all accepts and closes the socket: at once where the calling thread runs the
    /// acceptor's loop, else when that next runs. Connections that were accepted stay.
    void close() { core_->close(); }

    /// @cond
    // For listening_group.
    placing_acceptor(asio::io_context& loop, detail::socket_owner listening, connection_limit limit,
        detail::peer_reader read_peer, detail::placement place, MakeExecutor make_executor);
    /// @endcond

private:
    struct initiate;

    static detail::peer_reader reader_of(options_type& options);

    executor_type executor_;
    endpoint_type local_;
    MakeExecutor make_executor_;
    std::shared_ptr<detail::acceptor_core> core_;
};

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/placing_acceptor.hpp>

#endif
