// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/event_loop.hpp>
#include <loops/policy/default_policy.hpp>

#include "pair.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace trips {
namespace {

namespace asio = boost::asio;

// Posts to a loop that no thread runs meanwhile; what runs the handlers is not in the figure.
template <class GetExecutor>
measure::rival posting(std::string name, asio::io_context& loop, GetExecutor executor)
{
    return {std::move(name), [&loop, executor] {
                constexpr std::size_t at_once = 100; // as many as Asio's memory may well hold
                double taken = 0;
                for (int i = 0; i < 200; ++i)
                {
                    taken += measure::nanoseconds_each(at_once, [&](std::size_t) {
                        asio::post(executor(), [] {});
                        return 0;
                    });
                    loop.restart();
                    loop.poll();
                }
                return taken / 200;
            }};
}

} // namespace

void measure_posting(std::size_t rounds)
{
    asio::io_context plain;
    asio::io_context again;
    const auto policy = std::make_shared<loops::default_policy>();
    const loops::policy_scope scope(policy);
    asio::io_context& ours = loops::get_event_loop();
    std::vector<measure::rival> rivals;
    rivals.push_back(
        posting("io_context's executor", plain, [ex = plain.get_executor()] { return ex; }));
    rivals.push_back(
        posting("another io_context's", again, [ex = again.get_executor()] { return ex; }));
    rivals.push_back(
        posting("loops::get_executor()", ours, [ex = loops::get_executor()] { return ex; }));
    rivals.push_back(
        posting("the same, asked each time", ours, [] { return loops::get_executor(); }));
    rivals.push_back(posting("any_io_executor", plain,
        [ex = asio::any_io_executor(plain.get_executor())] { return ex; }));
    measure::print_heading("", "a post", "of the thread");
    for (const measure::result& each : measure::interleave(rounds, rivals))
        measure::print("", each);
}

} // namespace trips
