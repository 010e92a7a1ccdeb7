// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_LISTENER_HPP
#define PREFORK_SERVER_LISTENER_HPP

#include <loops/lease.hpp>
#include <loops/placing_acceptor.hpp>

#include "descriptor.hpp"
#include "session.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/wait_traits.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace prefork {

/// Accepts connections from the socket that the workers share, and has the policy place each.
class listener : public std::enable_shared_from_this<listener>
{
public:
    /// @param loop The loop to accept on.
    /// @param on_accepting Called once, when it begins to.
    listener(boost::asio::io_context& loop, descriptor listening,
        std::shared_ptr<const site> content, std::shared_ptr<session_list> sessions,
        std::function<void()> on_accepting);

    /// Begins to accept, as soon as a signal to stop would be heeded.
    void start();

    /// Accepts no more. Thread safe.
    void close();

private:
    void begin();
    void accept();
    void on_accept(const boost::system::error_code& ec, session_socket socket, loops::lease place);
    void accept_after(std::chrono::milliseconds pause);

    const std::shared_ptr<const site> content_;
    const std::shared_ptr<session_list> sessions_;
    const std::function<void()> on_accepting_;
    loops::placing_acceptor<boost::asio::ip::tcp, loops::on_strand> acceptor_;
    boost::asio::basic_waitable_timer<std::chrono::steady_clock,
        boost::asio::wait_traits<std::chrono::steady_clock>, session_executor>
        timer_;
    bool closed_ = false;
};

} // namespace prefork

#endif
