// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/event_loop.hpp>
#include <loops/run.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <cstdio>

int main()
{
    bool ran = false;
    boost::asio::io_context& loop = loops::get_event_loop();
    boost::asio::post(loop, [&] { ran = &loops::get_running_loop() == &loop; });
    loops::run_loop(loop);

    try
    {
        (void)loops::get_running_loop();
    }
    catch (const loops::system_error& e)
    {
        std::puts(e.what());
        return ran && e.code() == loops::error::no_running_event_loop ? 0 : 1;
    }
    return 1;
}
