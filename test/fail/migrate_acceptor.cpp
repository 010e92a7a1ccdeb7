// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/async_migrate.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <utility>

// An acceptor is no stream socket.
void migrate(boost::asio::ip::tcp::acceptor acceptor, boost::asio::io_context& target)
{
    loops::async_migrate(std::move(acceptor), target, boost::asio::detached);
}
