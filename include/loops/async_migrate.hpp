// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_ASYNC_MIGRATE_HPP
#define LOOPS_ASYNC_MIGRATE_HPP

#include <loops/config.hpp>
#include <loops/detail/default_token.hpp>
#include <loops/error.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>

namespace loops {
inline namespace LOOPS_ABI {

/// Moves a connected socket to another loop; no byte of the connection is lost or changes its place.
///
/// What is under way on the socket is cancelled first, on its old loop, and waited for: a read that
/// had bytes completes with them, one that had none with `operation_aborted`, a write tells how much
/// of it went out. All that is heard before the migration completes, if those handlers run on the
/// socket's executor and one thread runs the old loop. Let operations that are composed of several,
/// such as `async_write`, end first: they go on with the object that the socket was moved from.
///
/// @param socket A plain stream socket (TCP, or local), moved from. Its executor has to be that of an
/// `io_context`, a strand of one, or an `any_io_executor` with one of these; what comes out has an
/// executor of the same kind on `target`: a new strand, where it was a strand. Its loop has to live until
/// the completion; closing it first ends the connection and destroys the handler uncalled.
///
/// @param target Where the socket is to be. It has to live until the completion. Where it is the
/// socket's loop already, nothing is done.
///
/// @param token The completion token. The handler runs on its associated executor, by default
/// `target`, or the old loop where `target` was closed: never inside of this function.
///
/// @par Completion Signature
/// @code void(error_code, Socket) @endcode With an error the socket is where it was, and usable:
/// @li `bad_descriptor`: it is not open.
/// @li `error::loop_closed`: one of the loops is closed.
/// @li `operation_not_supported`: its executor is none of those above.
/// @li `operation_aborted`: cancelled in time.
/// @li `in_progress`: what was under way on it did not end for being cancelled.
/// @li What the system says where the target's reactor has no room for it.
///
/// With all but the last three, what is under way goes on undisturbed.
///
/// @par Per-Operation Cancellation
/// `terminal`, `partial`, `total`: the socket stays where it was. The signal must live until the
/// completion.
///
/// @par Thread safety
/// Safe, from any thread that may use the socket.
///
/// SSL and Beast streams do not compile here: they have buffers and timers of their own, which belong
/// to the old loop. Move a socket before a stream is made of it, or what `release_socket()` of a
/// `beast::basic_stream` gives.
template <class Protocol, class Executor,
    BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, asio::basic_stream_socket<Protocol, Executor>))
        CompletionToken = detail::default_token>
auto async_migrate(asio::basic_stream_socket<Protocol, Executor> socket, asio::io_context& target,
    CompletionToken&& token = detail::default_token());

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/async_migrate.hpp>

#endif
