// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/async_migrate.hpp>

#include <boost/asio/detached.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <utility>

// A stream with timers has more on its loop than a socket.
void migrate(boost::beast::tcp_stream stream, boost::asio::io_context& target)
{
    loops::async_migrate(std::move(stream), target, boost::asio::detached);
}
