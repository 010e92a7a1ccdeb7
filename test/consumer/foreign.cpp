// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/foreign/glib_policy.hpp>
#include <loops/foreign/uv_policy.hpp>

#include <memory>

int main()
{
    auto glib = std::make_shared<loops::glib_policy>();
    loops::uv_policy both(glib);
    boost::asio::io_context& loop = both.get_event_loop();
    return glib->context_of(loop) != nullptr && both.uv_loop_of(loop) != nullptr ? 0 : 1;
}
