// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What choosing a loop costs as the number of loops grows: nanoseconds a selection, and the ratio
// to round_robin. One thread chooses: what threads cost each other at a counter that all write is not
// in it.
//
// usage: choosers [most loops, 1000 unless given]

#include <loops/error.hpp>
#include <loops/policy/chooser.hpp>
#include <loops/policy/pool_policy.hpp>

#include "measure.hpp"

#include <boost/asio/post.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <vector>

namespace asio = boost::asio;
using loops::chooser;
using loops::pool_policy;
using loops::pool_view;
using loops::selection;

namespace {

constexpr std::size_t rounds = 15;
constexpr std::chrono::seconds patience{30};

// Work as a server has it: a key and a CPU for each connection.
selection work(std::size_t number)
{
    selection what;
    what.key = number;
    what.cpu = static_cast<unsigned>(number & 1);
    return what;
}

std::vector<measure::result> measure_choosers(const pool_view& loops)
{
    std::vector<measure::rival> rivals;
    const auto add = [&](const char* name, const chooser& choose) {
        rivals.push_back(measure::calls(
            name, [&loops, choose](std::size_t i) { return choose(loops, work(i)); }));
    };
    add("round_robin", loops::round_robin);
    add("least_loaded", loops::least_loaded);
    add("two_choices", loops::two_choices);
    add("by_key", loops::by_key);
    add("by_cpu", loops::by_cpu);
    add("prefer_current", loops::prefer_current());
    add("prefer_current, stays", loops::prefer_current({1000000}));
    add("a callable's load(0)", [](const pool_view& all, const selection&) {
        return static_cast<std::size_t>(all.load(0) == 0);
    });
    return measure::interleave(rounds, rivals);
}

// Measures on a thread of the pool, as a server that hands work on would choose.
void measure_on(std::size_t size)
{
    std::vector<measure::result> results;
    loops::pool_options options;
    options.threads = size;
    options.pin = loops::pinning::spread;
    bool measuring = false;
    // A chooser is what is shown a pool's loops.
    options.chooser = [&](const pool_view& loops, const selection&) {
        if (measuring)
            results = measure_choosers(loops);
        return std::size_t(0);
    };
    const auto pool = std::make_shared<pool_policy>(options);
    pool->start();

    // No two loops are equally busy, and none is idle: least_loaded would stop there.
    std::vector<loops::lease> leases;
    for (std::size_t i = 0; i < size; ++i)
        leases.emplace_back(pool->loop(i), static_cast<std::int64_t>(20 + (i * 7919) % 1009));
    leases[0].reweigh(500);

    std::vector<double> around;
    std::promise<void> done;
    asio::post(pool->loop(0), [&] {
        measuring = true;
        pool->select_event_loop();
        measuring = false;
        for (std::size_t round = 0; round < rounds; ++round)
        {
            around.push_back(measure::nanoseconds_each(
                20000, [&](std::size_t i) { return pool->select_event_loop(work(i)).stopped(); }));
        }
        done.set_value();
    });
    if (done.get_future().wait_for(patience) != std::future_status::ready)
    {
        std::fprintf(stderr, "choosers: %zu loops took too long\n", size);
        std::_Exit(1); // the thread uses what is here
    }

    const std::string before =
        std::to_string(size) + std::string(8 - std::to_string(size).size(), ' ');
    measure::current_table() = {std::to_string(size) + " loops", "a selection"};
    for (const measure::result& it : results)
        measure::print(before, it);
    const measure::estimate whole = measure::estimate_of(around);
    std::printf("%s%-26s %10.1f ns\n\n", before.c_str(), "select_event_loop()", whole.median);
    const measure::table& in = measure::current_table();
    measure::write({in.name, "select_event_loop()", in.what, "ns", rounds, whole, {}});
}

} // namespace

int main(int argc, char* argv[])
{
    const std::size_t most = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000;

    measure::raise_file_limit(); // a loop has three descriptors

    std::printf("medians of %zu rounds\n", rounds);
    measure::print_heading("loops   ", "chooser", "a selection");
    for (const std::size_t size : {1U, 10U, 100U, 1000U})
    {
        if (size > most)
            break;
        try
        {
            measure_on(size);
        }
        catch (const loops::system_error& e)
        {
            std::printf("%6zu  not measured: %s\n", size, e.what());
            return 1;
        }
    }
    return 0;
}
