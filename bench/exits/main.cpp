// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What the end of a child costs, for each watcher of Loops and for other libraries.
//
// usage: child_exits [rounds, 51 unless given] [most children, 10000] [part of a subject's name]
//
// First the time from the last thing that a child does to the handler, and its ratio to a pidfd and
// an epoll without any library. Then whether the CPU time of a pidfd's wait grows with the number
// of children alive. Then, by that number, what the end of one of them costs: CPU time of the
// process, all of its threads, and system calls; and what the process holds. A child ends every 2
// ms there (every 5 ms while system calls are counted, by ptrace).
//
// Each subject has a process of its own. Where a library can watch children that others started,
// they are started by posix_spawn, else by the library; starting them is not measured.

#include "../measure.hpp"
#include "player.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <sys/wait.h>

namespace {

constexpr std::size_t batch = 10;
constexpr std::size_t batches = 9;
constexpr std::size_t traced = 50;

std::vector<children::kind> subjects(const std::string& whose)
{
    auto all = children::raw_kinds();
    for (auto& it : children::kinds())
    {
        if (it.name.find(whose) != std::string::npos)
            all.push_back(std::move(it));
    }
    return all;
}

void measure_latency(const std::vector<children::kind>& all, std::size_t rounds)
{
    std::vector<std::unique_ptr<exits::player>> players;
    std::vector<measure::rival> rivals;
    for (const auto& who : all)
    {
        players.push_back(std::make_unique<exits::player>(who));
        exits::player* const it = players.back().get();
        rivals.push_back(
            {who.name, [it] { return measure::estimate_of(it->latencies(5)).median / 1000; }});
    }
    std::printf("From a child's last act to the handler, %zu rounds of 5 children\n\n", rounds);
    measure::print_heading("", "from exit to handler", "latency");
    for (const auto& result : measure::interleave(rounds, rivals))
        measure::print("", result, "us");
}

// More than so many are not tried: a thread each, of a machine that others use as well.
std::size_t most_for(const std::string& name, std::size_t most)
{
    return name == "asyncio Threaded" ? std::min<std::size_t>(most, 1000) : most;
}

// Has a batch of children end, and gives the microseconds of CPU time that each took.
double end_batch(exits::player& it)
{
    const pid_t killer = exits::kill_slowly(it.take(batch), 2);
    it.run(batch);
    const double each = it.result() / 1000 / static_cast<double>(batch);
    ::waitpid(killer, nullptr, 0);
    it.start(batch);
    return each;
}

// Whether the number of those alive matters: a player for each number, in turn, so that what else
// the machine does falls on all of them alike.
void measure_growth(const children::kind& who, std::size_t most, std::size_t rounds)
{
    std::vector<std::unique_ptr<exits::player>> players;
    std::vector<measure::rival> rivals;
    for (std::size_t alive = batch; alive <= most; alive *= 10)
    {
        players.push_back(std::make_unique<exits::player>(who));
        exits::player* const it = players.back().get();
        it->start(alive);
        rivals.push_back(
            {who.name + ", " + std::to_string(alive), [it] { return end_batch(*it); }});
    }
    measure::current_table() = {who.name + ", by the number alive", "CPU time of an exit"};
    for (const auto& result : measure::interleave(rounds, rivals))
        measure::print("", result, "us");
}

void measure_cost(const children::kind& who, std::size_t alive)
{
    std::printf("%7zu  %-18s ", alive, who.name.c_str());
    std::fflush(stdout);
    try
    {
        exits::player it(who);
        it.start(1); // what a loop needs once
        const auto before = exits::footprint_of(it.process());
        it.start(alive - 1);
        const auto after = exits::footprint_of(it.process());
        std::vector<double> cpu;
        for (std::size_t i = 0; i < batches; ++i)
            cpu.push_back(end_batch(it));
        const auto cost = measure::estimate_of(cpu);
        const double waits = static_cast<double>(std::max<std::size_t>(alive - 1, 1));
        std::printf("%8.1f [%.1f, %.1f]", cost.median, cost.low, cost.high);
        std::printf("%*s", 4, "");
        std::fflush(stdout);
        exits::player idle(who);
        idle.start(batch);
        const auto fixed = exits::count_calls(idle, 0);
        const std::size_t ends = std::min(traced, alive);
        const auto calls = exits::count_calls(it, ends);
        const double calls_each =
            static_cast<double>(calls - std::min(calls, fixed)) / static_cast<double>(ends);
        const double descriptors_each =
            static_cast<double>(after.descriptors - before.descriptors) / waits;
        const double kib_each =
            static_cast<double>(
                after.resident_kib - std::min(after.resident_kib, before.resident_kib)) /
            waits;
        std::printf(
            "%8.1f %8zu %6.2f %8.2f\n", calls_each, after.threads, descriptors_each, kib_each);
        const std::string in = std::to_string(alive) + " children alive";
        measure::write({in, who.name, "CPU time of an exit", "us", batches, cost, {}});
        const auto counted = [&](const char* what, const char* unit, double number) {
            measure::write({in, who.name, what, unit, 0, {number, number, number}, {}});
        };
        counted("system calls of an exit", "calls", calls_each);
        counted("threads", "threads", static_cast<double>(after.threads));
        counted("descriptors a child", "fds", descriptors_each);
        counted("memory a child", "KiB", kib_each);
    }
    catch (const std::exception& problem)
    {
        std::printf("  %s\n", problem.what());
    }
    std::fflush(stdout);
}

} // namespace

int main(int argc, char* argv[])
{
    const std::size_t rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 51;
    const std::size_t most = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 10000;
    if (rounds == 0 || most < batch)
    {
        std::fprintf(stderr, "usage: child_exits [rounds] [most children] [part of a name]\n");
        return 2;
    }
    measure::raise_file_limit();
    const auto all = subjects(argc > 3 ? argv[3] : "");
    measure_latency(all, rounds);
    std::printf(
        "\nCPU time of the end of one child, by the number of those alive, %zu rounds of %zu\n\n",
        rounds, batch);
    measure::print_heading("", "one of so many", "CPU time");
    for (const auto& who : all)
    {
        if (who.name == "pidfd and epoll" || who.name == "Loops pidfd")
            measure_growth(who, most, rounds);
    }
    std::printf("\nThe end of one child, by the number of those alive\n\n");
    std::printf("%7s  %-18s %8s %-16s %8s %8s %6s %8s\n", "alive", "", "us CPU", "96% interval",
        "calls", "threads", "fds a", "KiB a");
    std::printf("%7s  %-18s %8s %-16s %8s %8s %6s %8s\n", "", "", "an exit", "", "an exit", "",
        "wait", "wait");
    for (std::size_t alive = batch; alive <= most; alive *= 10)
    {
        std::printf("\n");
        for (const auto& who : all)
        {
            if (most_for(who.name, most) >= alive)
                measure_cost(who, alive);
        }
    }
}
