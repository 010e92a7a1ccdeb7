// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/event_loop.hpp>

// What one of two plug-ins with hidden visibility sees and sets.
extern "C" BOOST_SYMBOL_EXPORT void* plugin_current_loop()
{
    return &loops::get_event_loop();
}

extern "C" BOOST_SYMBOL_EXPORT void plugin_set_loop(void* loop)
{
    loops::set_event_loop(*static_cast<boost::asio::io_context*>(loop));
}

extern "C" BOOST_SYMBOL_EXPORT bool plugin_throws_and_is_understood()
{
    throw loops::system_error(loops::error::loop_closed, "plug-in a");
}
