// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

/// Runs a program, and restarts it when its sources change or it grows too large.

#include <loops/event_loop.hpp>
#include <loops/run.hpp>

#include "options.hpp"
#include "server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <exception>
#include <iostream>

namespace {

void run(const dev_server::options& from)
{
    boost::asio::io_context& loop = loops::get_event_loop();
    boost::asio::signal_set signals(loop, SIGINT, SIGTERM);
    dev_server::server server(loop, from);
    signals.async_wait([&](const loops::error_code& ec, int) {
        if (!ec)
            server.stop();
    });
    server.start([&] { signals.cancel(); });
    loops::run_loop(loop);
}

} // namespace

int main(int argc, char* argv[])
{
    try
    {
        const dev_server::options from = dev_server::parse_options(argc, argv);
        if (from.help)
            dev_server::print_help(std::cout);
        else
            run(from);
        return 0;
    }
    catch (const dev_server::usage_error& e)
    {
        std::cerr << "dev_server: " << e.what() << std::endl;
        return 2;
    }
    catch (const std::exception& e)
    {
        std::cerr << "dev_server: " << e.what() << std::endl;
        return 1;
    }
}
