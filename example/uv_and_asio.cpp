// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

/// A name is looked up by libuv's thread pool, a timer of libuv's ticks meanwhile, and Asio ends that: on one thread.

#include <loops/foreign/uv.hpp>
#include <loops/run.hpp>

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <exception>
#include <iostream>

#include <uv.h>

namespace asio = boost::asio;
using namespace std::chrono_literals;

int main()
{
    try
    {
        asio::io_context& loop = loops::get_event_loop();
        const loops::uv_guest uv(loop, uv_default_loop());

        uv_timer_t ticks;
        uv_timer_init(uv.native_loop(), &ticks);
        uv_timer_start(
            &ticks, [](uv_timer_t*) { std::cout << "a tick of libuv's\n"; }, 5, 5);

        uv_getaddrinfo_t lookup;
        uv_getaddrinfo(
            uv.native_loop(), &lookup,
            [](uv_getaddrinfo_t*, int status, addrinfo* found) {
                std::cout << "libuv looked localhost up: " << (status == 0 ? "found" : "not found")
                          << '\n';
                uv_freeaddrinfo(found);
            },
            "localhost", nullptr, nullptr);

        // The run ends when neither has work: so the ticks have to.
        asio::steady_timer end(loop, 28ms);
        end.async_wait([&](const loops::error_code&) {
            std::cout << "Asio ends the ticks\n";
            uv_close(reinterpret_cast<uv_handle_t*>(&ticks), nullptr);
        });
        loops::run_loop(loop);
        return 0;
    }
    catch (const std::exception& e)
    {
        std::cerr << "uv_and_asio: " << e.what() << std::endl;
        return 1;
    }
}
