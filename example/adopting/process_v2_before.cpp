// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

/// Runs commands by Boost.Process v2. doc/adopting.adoc says what its two versions differ by.

#include <boost/asio.hpp>
#include <boost/process/v2/process.hpp>

#include <exception>
#include <iostream>
#include <list>
#include <string>
#include <vector>

namespace asio = boost::asio;
namespace bp = boost::process::v2;
using boost::system::error_code;

namespace {

// How many of the commands did not succeed.
int failed = 0;

void tell(const std::string& line, const error_code& ec, int code)
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
        std::list<bp::process> children;
        for (int i = 1; i < argc; ++i)
        {
            const std::string line = argv[i];
            const std::vector<std::string> arguments = {"-c", line};
            bp::process& child = children.emplace_back(loop, "/bin/sh", arguments);
            child.async_wait([line](error_code ec, int code) { tell(line, ec, code); });
        }
        loop.run();
        return failed == 0 ? 0 : 1;
    }
    catch (const std::exception& e)
    {
        std::cerr << "process_v2: " << e.what() << std::endl;
        return 2;
    }
}
