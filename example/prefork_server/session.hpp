// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_SESSION_HPP
#define PREFORK_SERVER_SESSION_HPP

#include <loops/lease.hpp>

#include "site.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace prefork {

class session;

/// A connection's executor: one loop, and no two handlers of the connection at a time, which
/// matters where several threads run the loop.
using session_executor = boost::asio::strand<boost::asio::io_context::executor_type>;
using session_socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, session_executor>;

/// The connections that there are, so that they can be asked to end. Thread safe.
class session_list
{
public:
    void add(const std::shared_ptr<session>& it);
    void remove(const session* it) noexcept;

    /// Asks all sessions to finish, also those that come later.
    void finish();

private:
    std::mutex mutex_;
    bool finishing_ = false;
    std::unordered_map<const session*, std::weak_ptr<session>> all_;
};

/// One HTTP connection.
///
/// It lives as long as something is under way for it; the lease that it holds counts as its loop's
/// load until then.
class session : public std::enable_shared_from_this<session>
{
public:
    session(session_socket socket, loops::lease place, std::shared_ptr<const site> content,
        std::shared_ptr<session_list> all);

    session(const session&) = delete;
    session& operator=(const session&) = delete;
    ~session();

    /// Begins to serve.
    void start();

    /// Ends the connection: at once where no request is under way, else with its answer.
    /// Thread safe.
    void finish();

private:
    using stream = boost::beast::basic_stream<boost::asio::ip::tcp, session_executor>;
    using parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

    void read();
    void on_read(const boost::system::error_code& ec);
    void write(response made);
    void on_write(const boost::system::error_code& ec, bool keep_alive);
    void refuse(const boost::system::error_code& why);
    void leave_if_idle();
    void close();

    // Destroyed last: the loop counts this connection until its socket is closed.
    const loops::lease place_;
    const std::shared_ptr<const site> content_;
    const std::shared_ptr<session_list> all_;
    stream stream_;
    boost::beast::flat_buffer buffer_;
    std::optional<parser> parser_;
    std::optional<response> answer_;
    bool finishing_ = false;
};

} // namespace prefork

#endif
