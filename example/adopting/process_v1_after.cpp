// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

/// Runs commands by Boost.Process v1. doc/adopting.adoc says what its two versions differ by.

#include <loops.hpp>

#include <boost/asio.hpp>
// Boost 1.81's v1 uses what newer versions of Asio call by other names.
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>

#include <exception>
#include <iostream>
#include <string>
#include <system_error>

namespace asio = boost::asio;
namespace bp = boost::process;

namespace {

// How many of the commands did not succeed.
int failed = 0;

void tell(const std::string& line, const std::error_code& ec, int code)
{
    failed += ec || code != 0 ? 1 : 0;
    std::cout << line << ": " << (ec ? ec.message() : std::to_string(code)) << std::endl;
}

} // namespace

int main(int argc, char** argv)
{
    try
    {
        asio::io_context loop;
        loops::set_event_loop(loop);
        const auto watcher = loops::get_child_watcher();
        for (int i = 1; i < argc; ++i)
        {
            const std::string line = argv[i];
            watcher->async_wait(bp::child("/bin/sh", bp::args({"-c", line})),
                [line](auto ec, loops::child_exit exit) { tell(line, ec, exit.returncode()); });
        }
        loop.run();
        return failed == 0 ? 0 : 1;
    }
    catch (const std::exception& e)
    {
        std::cerr << "process_v1: " << e.what() << std::endl;
        return 2;
    }
}
