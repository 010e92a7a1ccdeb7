// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/event_loop.hpp>
#include <loops/run.hpp>
#include <loops/version.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <cstdio>
#include <string>

namespace {

bool versions_agree()
{
    const int parts[] = {LOOPS_VERSION / 100000, LOOPS_VERSION / 100 % 1000, LOOPS_VERSION % 100};
    std::string text;
    for (const int each : parts)
        text += (text.empty() ? "" : ".") + std::to_string(each);
    return text == LOOPS_VERSION_STRING;
}

} // namespace

int main(int argc, char* argv[])
{
    bool ran = false;
    boost::asio::io_context& loop = loops::get_event_loop();
    boost::asio::post(loop, [&] { ran = &loops::get_running_loop() == &loop; });
    loops::run_loop(loop);

    // What it was found as, where that is known.
    const bool expected = argc < 2 || std::string(argv[1]) == LOOPS_VERSION_STRING;
    try
    {
        (void)loops::get_running_loop();
    }
    catch (const loops::system_error& e)
    {
        std::puts(e.what());
        const bool refused = e.code() == loops::error::no_running_event_loop;
        return ran && refused && expected && versions_agree() ? 0 : 1;
    }
    return 1;
}
