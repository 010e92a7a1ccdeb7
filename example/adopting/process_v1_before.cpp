// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

/// Runs commands by Boost.Process v1. doc/adopting.adoc says what its two versions differ by.

#include <boost/asio.hpp>
// Boost 1.81's v1 uses what newer versions of Asio call by other names.
#include <boost/process/args.hpp>
#include <boost/process/async.hpp>
#include <boost/process/child.hpp>

#include <exception>
#include <iostream>
#include <list>
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
        std::list<bp::child> children;
        for (int i = 1; i < argc; ++i)
        {
            const std::string line = argv[i];
            children.emplace_back("/bin/sh", bp::args({"-c", line}), loop,
                bp::on_exit([line](int code, std::error_code ec) { tell(line, ec, code); }));
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
