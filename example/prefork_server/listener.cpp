// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "listener.hpp"

#include <loops/error.hpp>

#include "held_signals.hpp"
#include "print.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <iostream>
#include <utility>

namespace prefork {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

tcp::acceptor take_over(asio::io_context& loop, descriptor listening)
{
    tcp::acceptor made(loop, tcp::v4(), listening.get());
    listening.release();
    return made;
}

} // namespace

listener::listener(asio::io_context& loop, descriptor listening,
    std::shared_ptr<const site> content, std::shared_ptr<session_list> sessions,
    std::function<void()> on_accepting)
    : content_(std::move(content)),
      sessions_(std::move(sessions)),
      on_accepting_(std::move(on_accepting)),
      acceptor_(take_over(loop, std::move(listening))),
      timer_(asio::make_strand(loop))
{}

void listener::start()
{
    asio::post(timer_.get_executor(), [self = shared_from_this()] { self->begin(); });
}

void listener::begin()
{
    if (closed_)
        return;
    if (are_stop_signals_handled())
    {
        release_stop_signals();
        accept();
        on_accepting_();
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
    acceptor_.close();
    asio::post(timer_.get_executor(), [self = shared_from_this()] {
        self->closed_ = true;
        self->timer_.cancel();
    });
}

void listener::accept()
{
    if (closed_)
        return;
    acceptor_.async_accept(asio::bind_executor(timer_.get_executor(),
        [self = shared_from_this()](const error_code& ec, session_socket socket,
            loops::lease place) { self->on_accept(ec, std::move(socket), std::move(place)); }));
}

void listener::on_accept(const error_code& ec, session_socket socket, loops::lease place)
{
    if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor ||
        ec == loops::error::policy_closed)
        return; // closed, or the worker is about to stop
    if (!ec)
    {
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        std::make_shared<session>(std::move(socket), std::move(place), content_, sessions_)
            ->start();
        // Connections that come at once would all end at the worker that woke first.
        if (content_->is_ahead())
            accept_after(std::chrono::milliseconds(1));
        else
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
