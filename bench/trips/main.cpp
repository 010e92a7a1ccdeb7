// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What a hop from one loop to another and back takes where their threads sleep, poll, or spin for a
// time before they sleep; and what that costs: the CPU time of the process for each such trip, and of
// each second while nothing comes and while a handler comes each millisecond. The ratio is to two
// threads that wake each other by eventfds, with no loop at all. The loops of libuv, GLib, libev, asyncio
// and uvloop hop by what each of them has for other threads.
//
// First each thread has a CPU of its own; then both have the same one, as where others keep the CPUs
// busy: who polls there keeps the other from what it polls for.
//
// At last, what it costs to post through the executors of policies, against that of an io_context.
//
// usage: hops [rounds, 11 unless given]

#include "pair.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

using namespace std::chrono_literals;

namespace trips {
namespace {

const std::vector<setting>& settings()
{
    static const std::vector<setting> all = [] {
        std::vector<setting> made;
        add_bare(made);
        add_loops(made);
#if defined(LOOPS_BENCH_HAS_LIBUV)
        add_libuv(made);
#endif
#if defined(LOOPS_BENCH_HAS_GLIB)
        add_glib(made);
#endif
#if defined(LOOPS_BENCH_HAS_LIBEV)
        add_libev(made);
#endif
        add_asyncio(made);
        return made;
    }();
    return all;
}

// The part of a CPU that the two use while this happens so often, in percent.
template <class F>
double use_of_cpu(const pair& of, std::size_t times_over, std::chrono::nanoseconds every, F what)
{
    const double begin = measure::wall_nanoseconds();
    const double used = of.cpu();
    auto at = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < times_over; ++i)
    {
        what();
        std::this_thread::sleep_until(at += every);
    }
    return std::max(0.0, of.cpu() - used) / (measure::wall_nanoseconds() - begin) * 100;
}

void measure_hops(std::size_t rounds, const char* title, const std::vector<unsigned>& cpus)
{
    struct costs
    {
        std::vector<double> trip;
        std::vector<double> idle;
        std::vector<double> ticking;
    };

    const confined all_of_it(cpus);
    std::vector<costs> all(settings().size());
    std::vector<measure::rival> rivals;
    for (std::size_t i = 0; i < settings().size(); ++i)
    {
        const auto once = [&make = settings()[i].make, &cost = all[i],
                              count = std::size_t(0)]() mutable {
            const auto two = make();
            two->trips(2); // after which the threads are where they will be
            if (count == 0)
            {
                count = 2;
                double wall = 0;
                while ((wall = two->trips(count).wall) < 2e6)
                    count *= 2;
                const double for_8_ms = static_cast<double>(count) * 8e6 / wall;
                count = std::max<std::size_t>(1, static_cast<std::size_t>(for_8_ms));
            }
            const times taken = two->trips(count);
            const auto trips = static_cast<double>(count);
            cost.trip.push_back(taken.cpu / trips);
            std::this_thread::sleep_for(1ms); // longer than they spin
            cost.idle.push_back(use_of_cpu(*two, 1, 5ms, [] {}));
            cost.ticking.push_back(use_of_cpu(*two, 10, 1ms, [&] { two->poke(); }));
            return taken.wall / trips;
        };
        rivals.push_back({settings()[i].name, once});
    }
    std::printf("%-24s  %10s  %8s  %-20s  %10s  %7s  %7s\n", title, "there, back", "ratio",
        "96% interval", "CPU of it", "idle", "1 kHz");
    const auto results = measure::interleave(rounds, rivals);
    measure::current_table() = {title, "there and back"};
    for (std::size_t i = 0; i < results.size(); ++i)
    {
        const measure::result& it = results[i];
        char interval[64];
        std::snprintf(interval, sizeof interval, "[%.3f, %.3f]", it.ratio.low, it.ratio.high);
        const measure::estimate trip = measure::estimate_of(all[i].trip);
        const measure::estimate idle = measure::estimate_of(all[i].idle);
        const measure::estimate ticking = measure::estimate_of(all[i].ticking);
        std::printf("%-24s  %8.2f us  %8.3f  %-20s  %7.2f us  %5.1f %%  %5.1f %%\n",
            it.name.c_str(), it.figure.median / 1e3, it.ratio.median, interval, trip.median / 1e3,
            idle.median, ticking.median);
        measure::write(it, "ns");
        const auto write = [&](const char* what, const char* unit,
                               const measure::estimate& figure) {
            measure::write(
                {title, it.name, what, unit, rounds, figure, std::nullopt, measure::better::less});
        };
        write("CPU time of it", "ns", trip);
        write("CPU while idle", "%", idle);
        write("CPU at 1 kHz", "%", ticking);
    }
    std::printf("\n");
}

} // namespace
} // namespace trips

int main(int argc, char* argv[])
{
    const std::size_t rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 11;
    if (rounds < 9)
    {
        std::fprintf(stderr, "usage: hops [rounds, 9 or more]\n");
        return 2;
    }
    std::printf("medians of %zu rounds; CPU in percent of one\n", rounds);
    const std::vector<unsigned> cpus = trips::allowed_cpus();
    if (cpus.size() > 1)
        trips::measure_hops(rounds, "a CPU each", {cpus[0], cpus[1]});
    trips::measure_hops(rounds, "one CPU for both", {cpus[0]});
    trips::measure_posting(rounds);
    return 0;
}
