// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_CHILDREN_ASIO_LOOP_HPP
#define LOOPS_BENCH_CHILDREN_ASIO_LOOP_HPP

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>

namespace children {

// Runs a loop of Asio's until something is so, or the time is over. What handlers throw is dropped,
// as a server would that logs it and goes on.
template <class Done>
void run_asio(boost::asio::io_context& loop, long milliseconds, Done done)
{
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    const auto work = boost::asio::make_work_guard(loop);
    loop.restart();
    while (!done() && std::chrono::steady_clock::now() < end)
    {
        try
        {
            loop.run_one_until(end);
        }
        catch (const std::exception&)
        {}
    }
}

} // namespace children

#endif
