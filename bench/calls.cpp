// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What a small call to another loop costs when there are many: nanoseconds a call, and the ratio to a
// handler that is posted there by asio::post(). One loop of a pool sends, the others take part.
//
// usage: calls [calls a round, 20000 unless given]
//
// What a flood costs is the CPU time of both threads from the first call to the last completion. "one way"
// has nothing to come back, and a counter to wait on.

#include <loops/async_invoke.hpp>
#include <loops/broadcast.hpp>
#include <loops/event_loop.hpp>
#include <loops/policy/pool_policy.hpp>

#include "measure.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <vector>

namespace asio = boost::asio;
using loops::pool_policy;

namespace {

constexpr std::size_t rounds = 15;

// Counts down on one loop, and ends a round there.
struct round_end
{
    std::size_t left = 0;
    std::shared_ptr<std::promise<void>> over = std::make_shared<std::promise<void>>();

    void one()
    {
        if (--left > 0)
            return;
        const auto keep = over; // who waits for it goes at once
        keep->set_value();
    }
};

// Has loop 0 send `count` calls, and waits for the end of the last.
template <class Send>
double nanoseconds_a_call(pool_policy& pool, std::size_t count, Send send)
{
    round_end end;
    end.left = count;
    auto over = end.over->get_future();
    double begin = 0;
    asio::post(pool.loop(0), [&] {
        begin = measure::process_nanoseconds();
        for (std::size_t i = 0; i < count; ++i)
            send(end);
    });
    over.wait();
    return (measure::process_nanoseconds() - begin) / static_cast<double>(count);
}

} // namespace

int main(int argc, char* argv[])
{
    const std::size_t count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 20000;
    if (count == 0)
    {
        std::fprintf(stderr, "usage: calls [calls a round]\n");
        return 2;
    }
    const auto pool = std::make_shared<pool_policy>(2);
    pool->start();
    asio::io_context& here = pool->loop(0);
    asio::io_context& there = pool->loop(1);
    // With Asio's reactor, as loops of a server have it: that is where they sleep.
    const asio::steady_timer reactors[] = {asio::steady_timer(here), asio::steady_timer(there)};

    std::vector<measure::rival> rivals;
    const auto add = [&](const char* name, auto send) {
        rivals.push_back({name, [&, send] { return nanoseconds_a_call(*pool, count, send); }});
    };
    add("post, one way", [&](round_end& end) { asio::post(there, [&end] { end.one(); }); });
    add("async_invoke, one way", [&](round_end& end) {
        loops::async_invoke(
            there, [&end] { end.one(); },
            asio::bind_executor(there.get_executor(), [](const std::exception_ptr&) {}));
    });
    add("post, there and back", [&](round_end& end) {
        asio::post(there, [&] { asio::post(here, [&end] { end.one(); }); });
    });
    add("async_invoke", [&](round_end& end) {
        loops::async_invoke(
            there, [] {}, [&end](const std::exception_ptr&) { end.one(); });
    });
    add("async_broadcast to 2", [&](round_end& end) {
        loops::async_broadcast(
            *pool, [] {}, [&end](const std::exception_ptr&) { end.one(); });
    });

    measure::print_heading("", "a call", "CPU time");
    for (const measure::result& it : measure::interleave(rounds, rivals))
        measure::print("", it);
    return 0;
}
