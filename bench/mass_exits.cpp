// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What it takes until all handlers were called when many children end at once, for each watcher of Loops and
// for other libraries: microseconds a child from the first kill to the last handler, and the CPU time of
// the process that waits; and the ratio of each to a pidfd and an epoll without any library. The children
// are started anew for each turn, and starting them is not measured.
//
// usage: mass_exits [rounds, 9 unless given] [children, 1000] [part of a subject's name]

#include "exits/player.hpp"
#include "measure.hpp"

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

struct figures
{
    std::vector<double> wall;
    std::vector<double> cpu;
};

// Microseconds of the wall clock a child; adds what each took to the figures.
double end_all(exits::player& it, std::size_t count, figures& into)
{
    it.start(count);
    const auto pids = it.take(count);
    it.run(count);
    std::this_thread::sleep_for(std::chrono::milliseconds(5)); // its loop sleeps then
    const double begin = children::monotonic_nanoseconds();
    for (const pid_t pid : pids)
        ::kill(pid, SIGKILL);
    const auto each = 1000 * static_cast<double>(count);
    into.cpu.push_back(it.result() / each);
    into.wall.push_back((it.last_at() - begin) / each);
    return into.wall.back();
}

// The same of CPU time: of the same rounds, in which interleave() compared the other.
std::vector<measure::result> cpu_of(
    const std::vector<children::kind>& all, std::vector<figures>& seen)
{
    std::vector<measure::result> results;
    for (std::size_t i = 0; i < all.size(); ++i)
    {
        std::vector<double> ratios;
        for (std::size_t round = 0; round < seen[i].cpu.size(); ++round)
            ratios.push_back(seen[i].cpu[round] / seen[0].cpu[round]);
        results.push_back({all[i].name, measure::estimate_of(seen[i].cpu),
            measure::estimate_of(ratios), ratios.size()});
    }
    return results;
}

void measure_all(const std::vector<children::kind>& all, std::size_t rounds, std::size_t count)
{
    std::vector<std::unique_ptr<exits::player>> players;
    std::vector<measure::rival> rivals;
    std::vector<figures> seen(all.size());
    for (std::size_t i = 0; i < all.size(); ++i)
    {
        players.push_back(std::make_unique<exits::player>(all[i]));
        rivals.push_back({all[i].name,
            [&it = *players.back(), &into = seen[i], count] { return end_all(it, count, into); }});
    }
    const auto results = measure::interleave(rounds, rivals);
    for (figures& each : seen)
        each.cpu.erase(each.cpu.begin()); // of the warming up
    const std::string title = std::to_string(count) + " children at once";
    measure::print_heading("", title, "wall time");
    for (const auto& each : results)
        measure::print("", each, "us");
    std::printf("\n");
    measure::print_heading("", title, "CPU time");
    for (const auto& each : cpu_of(all, seen))
        measure::print("", each, "us");
}

} // namespace

int main(int argc, char* argv[])
try
{
    const std::size_t rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 9;
    const std::size_t count = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1000;
    if (rounds < 9 || count == 0)
    {
        std::fprintf(stderr, "usage: mass_exits [rounds, 9 or more] [children] [part of a name]\n");
        return 2;
    }
    measure::raise_file_limit();
    auto all = children::raw_kinds();
    for (auto& it : children::kinds())
    {
        if (argc <= 3 || it.name.find(argv[3]) != std::string::npos)
            all.push_back(std::move(it));
    }
    measure_all(all, rounds, count);
    return 0;
}
catch (const std::exception& e)
{
    std::fprintf(stderr, "mass_exits: %s\n", e.what());
    return 1;
}
