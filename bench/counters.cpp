// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What a handler costs under a watch, and with counters, against io_context::run(): nanoseconds of the
// thread a handler, and the ratio.
//
// usage: counters [rounds, 21 unless given]
//
// One thread runs a chain of handlers: each posts the next. They do nothing, so that the ratios are the
// worst that there are, or compute for a microsecond, as a handler that serves something does at least.
// A second table has runs instead of handlers: run_one() for each, through Loops.

#include <loops/event_loop.hpp>
#include <loops/loop_stats.hpp>
#include <loops/loop_watch.hpp>
#include <loops/run.hpp>

#include "measure.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace asio = boost::asio;

namespace {

// What is measured under: a loop of its own, since what was counted there stays.
struct setting
{
    std::string name;
    bool through_loops = true;
    bool watch = false;
    bool stats = false;
};

const setting settings[] = {
    {"io_context", false},
    {"Loops", true},
    {"watched", true, true},
    {"counters on", true, false, true},
    {"watched, counters on", true, true, true},
};

struct subject
{
    explicit subject(const setting& how) : loop("measured")
    {
        if (how.watch)
        {
            loops::loop_watch_options options;
            options.threshold =
                std::chrono::milliseconds(40); // asked each 10 ms, oftener than by default
            options.stacks = false;
            watch.emplace(loop, options);
        }
        if (how.stats)
            loops::collect_stats(loop);
    }

    loops::event_loop loop;
    std::optional<loops::loop_watch> watch;
};

struct chain
{
    asio::io_context& loop;
    const measure::busy_work& work;
    std::size_t left;

    void operator()() const
    {
        work();
        if (left > 0)
            asio::post(loop, chain{loop, work, left - 1});
    }
};

template <class Run>
double nanoseconds_a_handler(
    asio::io_context& loop, const measure::busy_work& work, std::size_t handlers, Run run)
{
    loop.restart();
    asio::post(loop, chain{loop, work, handlers - 1});
    const double begin = measure::thread_nanoseconds();
    run();
    return (measure::thread_nanoseconds() - begin) / static_cast<double>(handlers);
}

void measure_all(std::size_t rounds, const std::string& heading, const measure::busy_work& work,
    std::size_t handlers, bool singly)
{
    std::vector<std::unique_ptr<subject>> subjects;
    std::vector<measure::rival> rivals;
    for (const setting& each : settings)
    {
        subjects.push_back(std::make_unique<subject>(each));
        asio::io_context& plain = subjects.back()->loop;
        loops::event_loop& ours = subjects.back()->loop;
        rivals.push_back({each.name, [&, handlers, singly, through_loops = each.through_loops] {
                              return nanoseconds_a_handler(plain, work, handlers, [&] {
                                  if (!singly)
                                      through_loops ? ours.run() : plain.run();
                                  else
                                      while ((through_loops ? ours.run_one() : plain.run_one()) > 0)
                                      {}
                              });
                          }});
    }
    measure::print_heading("", heading, "a handler");
    for (const measure::result& each : measure::interleave(rounds, rivals))
        measure::print("", each);
    std::printf("\n");
}

} // namespace

int main(int argc, char* argv[])
{
    const std::size_t rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 21;
    if (rounds < 9)
    {
        std::fprintf(stderr, "usage: counters [rounds, 9 or more]\n");
        return 2;
    }
    measure_all(rounds, "run(), empty handlers", measure::busy_work(0), 200000, false);
    measure_all(rounds, "run(), handlers of 1 us", measure::busy_work(1000), 10000, false);
    measure_all(rounds, "run_one(), empty handlers", measure::busy_work(0), 50000, true);
    return 0;
}
