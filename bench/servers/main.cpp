// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What a server gets done over loopback, by how its loops are run, by hand or by a policy: requests a second,
// and the ratio to a pool of `io_context`s that is written by hand, one thread each. Beside it the best of
// all rounds, which others on the machine disturbed least; CPU time of the server's threads a request, which says less, but
// is nearly the same on a machine that others use as well; and the time in which 99 of 100 requests are
// answered.
//
// usage: serving [--seconds=40] [--patience=0] [--rounds=9] [--threads=N] [--connections=64] [--asciidoc]
//                [--only=TEXT]
//
// The same sessions run on all kinds of servers. Each request has the server compute for a time; a
// client with a thread of its own sends them, which takes a CPU when handlers are short. A server is
// started anew for each turn. In the last workload every second connection is heavy: dealt in turn, by an
// even number of loops, all of these come to the same loops.
//
// The number of requests is the same in all turns of a workload. It is found by a first, untimed turn, so
// that all takes about as many seconds as were given; and as many more, at most, as there is patience to wait
// before a turn until others on the machine are quiet. --asciidoc prints tables for the documentation.

#include <loops/backend.hpp>

#include "../measure.hpp"
#include "client.hpp"
#include "server.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <unistd.h>

namespace {

using servers::protocol;

struct settings
{
    std::size_t seconds = 40;
    std::size_t patience = 0;
    std::size_t rounds = 9;
    std::size_t threads = loops::available_parallelism();
    std::size_t connections = 64;
    bool asciidoc = false;
    std::string only; // part of a workload's name
};

const std::vector<servers::workload> all_workloads{
    {"echo, no work", protocol::echo, {0}},
    {"echo, 2 us", protocol::echo, {2}},
    {"echo, 10 us", protocol::echo, {10}},
    {"echo, 50 us", protocol::echo, {50}},
    {"HTTP, no work", protocol::http, {0}},
    {"HTTP, 2 us", protocol::http, {2}},
    {"HTTP, 10 us", protocol::http, {10}},
    {"HTTP, 50 us", protocol::http, {50}},
    {"echo, no work and 100 us in turn", protocol::echo, {0, 100}},
};

// Seconds that CPUs of the machine were busy, with anything; 0 where the system does not tell.
double machine_seconds()
{
    std::ifstream in("/proc/stat");
    std::string word;
    double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0;
    if (!(in >> word >> user >> nice >> system >> idle >> waiting >> irq >> softirq))
        return 0;
    return (user + nice + system + irq + softirq) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

// What others use of the machine's CPUs, in seconds, while an object of this lives.
class bystanders
{
public:
    double cpu_seconds() const
    {
        return std::max(0.0, machine_seconds() - machine_ - own_seconds() + own_);
    }
    double seconds() const { return (measure::wall_nanoseconds() - begin_) / 1e9; }

private:
    static double own_seconds() { return measure::process_nanoseconds() / 1e9; }

    double machine_ = machine_seconds();
    double own_ = own_seconds();
    double begin_ = measure::wall_nanoseconds();
};

// Looks at what others do on the machine.
class weather
{
public:
    explicit weather(std::size_t patience_seconds)
        : patience_(static_cast<double>(patience_seconds))
    {}

    // Waits until others are quiet, as long as there is patience left.
    void wait_for_calm()
    {
        while (patience_ > 0)
        {
            const bystanders others;
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
            if (others.cpu_seconds() < 0.15 * others.seconds())
                return;
            patience_ -= others.seconds();
        }
    }

    // Runs something that is to be undisturbed.
    template <class F>
    auto watch(F&& f)
    {
        const bystanders others;
        auto result = f();
        used_ += others.cpu_seconds();
        seconds_ += others.seconds();
        return result;
    }

    // How many CPUs others used, on average, during what was watched.
    double used() const { return seconds_ > 0 ? used_ / seconds_ : 0; }

private:
    double patience_;
    double used_ = 0;
    double seconds_ = 0;
};

bool parse(int argc, char* argv[], settings& into)
{
    for (int i = 1; i < argc; ++i)
    {
        const std::string_view text = argv[i];
        const std::size_t mark = std::min(text.find('='), text.size());
        const std::string_view name = text.substr(0, mark);
        const std::size_t value =
            mark < text.size() ? std::strtoul(argv[i] + mark + 1, nullptr, 10) : 0;
        if (text == "--asciidoc")
            into.asciidoc = true;
        else if (name == "--only" && mark < text.size())
            into.only = text.substr(mark + 1);
        else if (value == 0)
            return false;
        else if (name == "--seconds")
            into.seconds = value;
        else if (name == "--patience")
            into.patience = value;
        else if (name == "--rounds")
            into.rounds = value;
        else if (name == "--threads")
            into.threads = value;
        else if (name == "--connections")
            into.connections = value;
        else
            return false;
    }
    return into.rounds >= 9 && into.threads <= 1024 && into.connections <= 10000;
}

servers::observed turn(const servers::kind& of, const servers::workload& what, const settings& from,
    std::size_t requests_each)
{
    const auto server = of.start(what.how);
    return servers::put_load(server->port(), what, from.connections, requests_each);
}

// As many for each connection as take the time in the slowest way.
std::size_t requests_for(double seconds, const std::vector<servers::kind>& kinds,
    const servers::workload& what, const settings& from)
{
    const std::size_t few = 500 / from.connections + 1;
    double slowest = 0;
    for (const servers::kind& each : kinds)
    {
        const double begin = measure::wall_nanoseconds();
        turn(each, what, from, few);
        slowest = std::max(slowest, measure::wall_nanoseconds() - begin);
    }
    return static_cast<std::size_t>(std::max(1.0, seconds * 1e9 / slowest)) * few;
}

// A figure of one way to serve, and its ratio to the first one's.
struct compared
{
    measure::estimate figure;
    measure::estimate ratio;
    // Of all rounds the highest.
    double highest = 0;
};

compared compare(const std::vector<servers::observed>& its,
    const std::vector<servers::observed>& first, double servers::observed::*what)
{
    std::vector<double> figures;
    std::vector<double> ratios;
    for (std::size_t round = 0; round < its.size(); ++round)
    {
        figures.push_back(its[round].*what);
        ratios.push_back(its[round].*what / first[round].*what);
    }
    return {measure::estimate_of(figures), measure::estimate_of(ratios),
        *std::max_element(figures.begin(), figures.end())};
}

struct line
{
    std::string name;
    compared rate;
    compared cpu;
    compared tail;
};

std::vector<servers::workload> workloads_of(const settings& from)
{
    auto wanted = all_workloads;
    wanted.erase(std::remove_if(wanted.begin(), wanted.end(),
                     [&](const servers::workload& it) {
                         return it.name.find(from.only) == std::string::npos;
                     }),
        wanted.end());
    return wanted;
}

std::vector<line> measure_one(const std::vector<servers::kind>& kinds,
    const servers::workload& what, const settings& from, weather& around, std::size_t workloads)
{
    // A turn more than there are rounds warms up.
    const double turns = static_cast<double>((from.rounds + 1) * kinds.size() * workloads);
    const std::size_t requests_each =
        requests_for(static_cast<double>(from.seconds) / turns, kinds, what, from);
    std::vector<std::vector<servers::observed>> seen(kinds.size());
    std::vector<measure::rival> rivals;
    for (std::size_t i = 0; i < kinds.size(); ++i)
    {
        rivals.push_back({kinds[i].name, [&, i] {
                              around.wait_for_calm();
                              seen[i].push_back(around.watch(
                                  [&] { return turn(kinds[i], what, from, requests_each); }));
                              return seen[i].back().requests_a_second;
                          }});
    }
    measure::interleave(from.rounds, rivals);
    std::vector<line> lines;
    for (auto& each : seen)
        each.erase(each.begin()); // of the warming up
    for (std::size_t i = 0; i < kinds.size(); ++i)
    {
        using servers::observed;
        lines.push_back({kinds[i].name, compare(seen[i], seen[0], &observed::requests_a_second),
            compare(seen[i], seen[0], &observed::server_cpu_us),
            compare(seen[i], seen[0], &observed::percentile_99_us)});
    }
    return lines;
}

void print(const servers::workload& what, const std::vector<line>& lines)
{
    std::printf("\n%-32s %10s %8s %6s  %-13s %7s %6s  %-13s %7s\n", what.name.c_str(), "requests/s",
        "best", "ratio", "96% interval", "CPU us", "ratio", "96% interval", "99% us");
    for (const line& each : lines)
    {
        std::printf("  %-30s %10.0f %8.0f %6.2f  [%.2f, %.2f]  %7.1f %6.2f  [%.2f, %.2f]  %7.0f\n",
            each.name.c_str(), each.rate.figure.median, each.rate.highest, each.rate.ratio.median,
            each.rate.ratio.low, each.rate.ratio.high, each.cpu.figure.median,
            each.cpu.ratio.median, each.cpu.ratio.low, each.cpu.ratio.high,
            each.tail.figure.median);
    }
    std::fflush(stdout);
}

void write(const servers::workload& what, const std::vector<line>& lines, std::size_t rounds)
{
    using measure::better;
    for (const line& each : lines)
    {
        const auto one = [&](const compared& it, const char* figure, const char* unit,
                             better which) {
            measure::write(
                {what.name, each.name, figure, unit, rounds, it.figure, it.ratio, which});
        };
        one(each.rate, "throughput", "requests/s", better::more);
        one(each.cpu, "CPU time of a request", "us", better::less);
        one(each.tail, "99 of 100 answered within", "us", better::less);
    }
}

void print_asciidoc_heading()
{
    std::printf("[cols=\"6,>3,>3,>5,>2,>5,>3\",options=\"header\"]\n|===\n"
                "| | requests/s | best | ratio [96%% interval] "
                "| CPU us | ratio [96%% interval] | 99%% us\n");
}

void print_asciidoc(const servers::workload& what, const std::vector<line>& lines)
{
    std::printf("\n7+<h| %s\n", what.name.c_str());
    for (const line& each : lines)
    {
        std::printf("| %s | %.0f | %.0f | %.2f [%.2f, %.2f] | %.1f | %.2f [%.2f, %.2f] | %.0f\n",
            each.name.c_str(), each.rate.figure.median, each.rate.highest, each.rate.ratio.median,
            each.rate.ratio.low, each.rate.ratio.high, each.cpu.figure.median,
            each.cpu.ratio.median, each.cpu.ratio.low, each.cpu.ratio.high,
            each.tail.figure.median);
    }
    std::fflush(stdout);
}

} // namespace

int main(int argc, char* argv[])
{
    settings from;
    if (!parse(argc, argv, from))
    {
        std::fprintf(stderr,
            "usage: serving [--seconds=N] [--patience=N] [--rounds=N, 9 or more] [--threads=N] "
            "[--connections=N] [--asciidoc] [--only=part of a workload's name]\n");
        return 2;
    }
    measure::raise_file_limit();
    const measure::busy_work microsecond(1000);
    weather around(from.patience);
    const auto kinds = servers::kinds(from.threads, microsecond);
    try
    {
        if (from.asciidoc)
            print_asciidoc_heading();
        const auto workloads = workloads_of(from);
        for (const servers::workload& what : workloads)
        {
            const auto lines = measure_one(kinds, what, from, around, workloads.size());
            write(what, lines, from.rounds);
            if (from.asciidoc)
                print_asciidoc(what, lines);
            else
                print(what, lines);
        }
        if (from.asciidoc)
            std::printf("|===\n\n");
        else
            std::printf("\n");
        std::printf("%zu connections, medians of %zu rounds. Of %u CPUs, others used %.1f "
                    "meanwhile.\n",
            from.connections, from.rounds, std::thread::hardware_concurrency(), around.used());
    }
    catch (const std::exception& e)
    {
        std::fprintf(stderr, "serving: %s\n", e.what());
        return 1;
    }
    return 0;
}
