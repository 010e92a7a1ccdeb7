// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What each of the plug-ins with hidden visibility sees and does; the same source in two shared
// objects.

#include <loops/error.hpp>
#include <loops/event_loop.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/config.hpp>

#include <exception>

extern "C" BOOST_SYMBOL_EXPORT boost::asio::io_context* plugin_current_loop()
{
    return &loops::get_event_loop();
}

extern "C" BOOST_SYMBOL_EXPORT boost::asio::io_context* plugin_running_loop()
{
    return loops::try_get_running_loop();
}

extern "C" BOOST_SYMBOL_EXPORT void plugin_set_loop(boost::asio::io_context* loop)
{
    loops::set_event_loop(*loop);
}

extern "C" BOOST_SYMBOL_EXPORT void plugin_throw()
{
    throw loops::system_error(loops::error::loop_closed, "thrown by a plug-in");
}

// Whether what another shared object threw is known here for what it is.
extern "C" BOOST_SYMBOL_EXPORT bool plugin_understands(const std::exception_ptr* thrown)
{
    try
    {
        std::rethrow_exception(*thrown);
    }
    catch (const loops::system_error& e)
    {
        return e.code() == loops::error::loop_closed;
    }
    catch (...)
    {
        return false;
    }
}
