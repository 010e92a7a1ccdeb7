// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

/// Runs the commands of a file, some at a time, and tells how each ended.

#include <loops/event_loop.hpp>
#include <loops/run.hpp>

#include "options.hpp"
#include "progress.hpp"
#include "runner.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <algorithm>
#include <csignal>
#include <exception>
#include <iomanip>
#include <iostream>
#include <vector>

namespace {

using task_runner::task_end;

// As shells have it for a program that SIGINT ended.
constexpr int interrupted = 130;

void print_ends(const std::vector<task_end>& ends)
{
    const auto failed = std::count_if(
        ends.begin(), ends.end(), [](const task_end& each) { return !each.succeeded; });
    std::cout << '\n';
    for (const task_end& each : ends)
        std::cout << std::left << std::setw(12) << (each.how.empty() ? "not started" : each.how)
                  << std::right << std::setw(12) << task_runner::in_seconds(each.elapsed) << "  "
                  << each.task << '\n';
    std::cout << ends.size() - static_cast<std::size_t>(failed) << " succeeded, " << failed
              << " did not" << std::endl;
}

int run(const task_runner::options& from)
{
    boost::asio::io_context& loop = loops::get_event_loop();
    boost::asio::signal_set signals(loop, SIGINT, SIGTERM);
    task_runner::runner tasks(loop, from, [&] { signals.cancel(); });
    bool was_interrupted = false;
    signals.async_wait([&](const loops::error_code& ec, int) {
        if (ec)
            return;
        was_interrupted = true;
        tasks.stop();
    });
    tasks.start();
    loops::run_loop(loop);

    print_ends(tasks.ends());
    const bool all_succeeded = std::all_of(tasks.ends().begin(), tasks.ends().end(),
        [](const task_end& each) { return each.succeeded; });
    return was_interrupted ? interrupted : all_succeeded ? 0 : 1;
}

} // namespace

int main(int argc, char* argv[])
{
    try
    {
        const task_runner::options from = task_runner::parse_options(argc, argv);
        if (from.help)
        {
            task_runner::print_help(std::cout);
            return 0;
        }
        return run(from);
    }
    catch (const task_runner::usage_error& e)
    {
        std::cerr << "task_runner: " << e.what() << std::endl;
        return 2;
    }
    catch (const std::exception& e)
    {
        std::cerr << "task_runner: " << e.what() << std::endl;
        return 1;
    }
}
