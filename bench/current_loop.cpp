// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What it costs to ask for the current loop where the thread has one: nanoseconds a call, and the ratio to
// a getter of a `thread_local` pointer that a shared library exports.
//
// usage: current_loop [rounds, 51 unless given]

#include <loops/event_loop.hpp>
#include <loops/policy.hpp>
#include <loops/policy/pool_policy.hpp>

#include "getter/getter.hpp"
#include "measure.hpp"

#include <boost/asio/post.hpp>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <vector>

namespace asio = boost::asio;

namespace {

std::size_t number_of(const asio::io_context& loop)
{
    return reinterpret_cast<std::size_t>(&loop);
}

measure::rival the_getter()
{
    return measure::calls("an exported getter",
        [](std::size_t) { return reinterpret_cast<std::size_t>(getter::get()); });
}

void measure_here(std::size_t rounds, const char* where)
{
    std::vector<measure::rival> rivals{the_getter()};
    rivals.push_back(measure::calls(
        "get_event_loop()", [](std::size_t) { return number_of(loops::get_event_loop()); }));
    if (loops::try_get_running_loop() != nullptr)
        rivals.push_back(measure::calls("get_running_loop()",
            [](std::size_t) { return number_of(loops::get_running_loop()); }));
    rivals.push_back(measure::calls(
        "get_executor()", [](std::size_t) { return number_of(loops::get_executor().context()); }));
    measure::print_heading("", where, "a call");
    for (const measure::result& each : measure::interleave(rounds, rivals))
        measure::print("", each);
    std::printf("\n");
}

} // namespace

int main(int argc, char* argv[])
{
    const std::size_t rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 51;
    if (rounds < 9)
    {
        std::fprintf(stderr, "usage: current_loop [rounds, 9 or more]\n");
        return 2;
    }
    loops::event_loop loop;
    getter::set(&loop);
    loops::set_event_loop(loop);
    measure_here(rounds, "set on a thread");
    asio::post(loop, [&] { measure_here(rounds, "inside of a run"); });
    loop.run();

    const auto pool = std::make_shared<loops::pool_policy>(1);
    pool->start();
    std::promise<void> done;
    asio::post(pool->loop(0), [&] {
        getter::set(&pool->loop(0));
        measure_here(rounds, "on a pool's thread");
        done.set_value();
    });
    done.get_future().wait();
    return 0;
}
