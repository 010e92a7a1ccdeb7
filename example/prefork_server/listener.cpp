// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "listener.hpp"

#include <loops/error.hpp>
#include <loops/policy.hpp>

#include "held_signals.hpp"
#include "print.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <iostream>
#include <utility>

namespace prefork {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

} // namespace

listener::listener(asio::io_context& loop, descriptor listening,
    std::shared_ptr<const site> content, std::shared_ptr<session_list> sessions)
    : content_(std::move(content)),
      sessions_(std::move(sessions)),
      acceptor_(asio::make_strand(loop)),
      timer_(acceptor_.get_executor())
{
    acceptor_.assign(asio::ip::tcp::v4(), listening.get());
    listening.release();
}

void listener::start()
{
    asio::post(acceptor_.get_executor(), [self = shared_from_this()] { self->begin(); });
}

void listener::begin()
{
    if (are_stop_signals_handled())
    {
        release_stop_signals();
        accept();
        return;
    }
    timer_.expires_after(std::chrono::milliseconds(1));
    timer_.async_wait([self = shared_from_this()](const error_code& ec) {
        if (!ec)
            self->begin();
    });
}

void listener::close()
{
    asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
        error_code ignored;
        self->acceptor_.close(ignored);
        self->timer_.cancel();
    });
}

void listener::accept()
{
    if (!acceptor_.is_open())
        return;
    try
    {
        // The policy chooses now, since a socket belongs to its loop from its first moment on.
        place_ = loops::acquire({}, 0);
    }
    catch (const loops::system_error& e)
    {
        if (e.code() == loops::error::policy_closed)
            return; // the worker is about to stop
        throw;
    }
    acceptor_.async_accept(asio::make_strand(place_.get_executor()),
        [self = shared_from_this()](const error_code& ec, session_socket socket) {
            self->on_accept(ec, std::move(socket));
        });
}

void listener::on_accept(const error_code& ec, session_socket socket)
{
    if (ec == asio::error::operation_aborted)
        return;
    if (!ec)
    {
        error_code ignored;
        socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        place_.reweigh(1);
        std::make_shared<session>(std::move(socket), std::move(place_), content_, sessions_)
            ->start();
        // Connections that come at once would all end at the worker that woke first.
        if (content_->is_ahead())
            accept_after(std::chrono::milliseconds(1));
        else
            accept();
        return;
    }
    if (ec == asio::error::connection_aborted)
    {
        accept();
        return;
    }
    // Out of descriptors or memory, most likely: what helps is that a connection ends.
    print_line(std::cerr, "accepting: " + ec.message());
    accept_after(std::chrono::milliseconds(100));
}

void listener::accept_after(std::chrono::milliseconds pause)
{
    timer_.expires_after(pause);
    timer_.async_wait([self = shared_from_this()](const error_code& ec) {
        if (!ec)
            self->accept();
    });
}

} // namespace prefork
