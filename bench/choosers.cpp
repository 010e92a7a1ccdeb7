// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What choosing a loop costs as the number of loops grows: nanoseconds a selection, and the ratio
// to round_robin. One thread chooses: what threads cost each other at a counter that all write is not
// in it.
//
// usage: choosers [most loops, 1000 unless given]
//
// The choosers take turns within each round, so that what else the machine does falls on all of them
// alike. A ratio is that of two neighbours in one round; printed are the medians of all rounds, and
// the interval that holds the ratio's true median with 96% confidence, whatever its distribution.

#include <loops/error.hpp>
#include <loops/policy/chooser.hpp>
#include <loops/policy/pool_policy.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <time.h>

namespace asio = boost::asio;
using loops::chooser;
using loops::pool_policy;
using loops::pool_view;
using loops::selection;

namespace {

constexpr std::size_t rounds = 15;
// The 4th and the 12th of 15 values enclose the median but for 2 * (1 + 15 + 105 + 455) outcomes of
// 2^15.
constexpr std::size_t low = 3;
constexpr std::size_t high = 11;

constexpr std::chrono::milliseconds slice{2};
constexpr std::chrono::seconds patience{30};

double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

// Work as a server has it: a key and a CPU for each connection.
selection work(std::size_t number)
{
    selection what;
    what.key = number;
    what.cpu = static_cast<unsigned>(number & 1);
    return what;
}

// Kept where the compiler cannot see that nobody wants it.
volatile std::size_t sink;

// The thread's own time: a selection waits for nothing, and what the thread loses to others is not its
// cost.
double nanoseconds_of_thread()
{
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

template <class Choose>
double nanoseconds_each(std::size_t number, Choose choose)
{
    std::size_t sum = 0;
    const double begin = nanoseconds_of_thread();
    for (std::size_t i = 0; i < number; ++i)
        sum += choose(work(i));
    const double taken = nanoseconds_of_thread() - begin;
    sink = sum;
    return taken / static_cast<double>(number);
}

struct row
{
    std::string name;
    chooser choose;
    std::size_t number = 1; // selections a slice
    std::vector<double> each{};
    std::vector<double> ratio{};
};

std::vector<row> make_rows()
{
    return {{"round_robin", loops::round_robin}, {"least_loaded", loops::least_loaded},
        {"two_choices", loops::two_choices}, {"by_key", loops::by_key}, {"by_cpu", loops::by_cpu},
        {"prefer_current", loops::prefer_current()},
        {"prefer_current, stays", loops::prefer_current({1000000})},
        {"a callable's load(0)", chooser([](const pool_view& loops, const selection&) {
             return static_cast<std::size_t>(loops.load(0) == 0);
         })}};
}

void measure(const pool_view& loops, std::vector<row>& rows)
{
    const auto once = [&](const row& it) {
        return nanoseconds_each(
            it.number, [&](const selection& what) { return it.choose(loops, what); });
    };
    const std::chrono::duration<double, std::nano> wanted = slice;
    for (row& it : rows)
    {
        while (once(it) * static_cast<double>(it.number) < wanted.count() / 4)
            it.number *= 2;
        it.number *= 2;
    }
    for (std::size_t round = 0; round < rounds; ++round)
    {
        for (row& it : rows)
        {
            it.each.push_back(once(it));
            it.ratio.push_back(it.each.back() / rows.front().each.back());
        }
    }
}

// Measures on a thread of the pool, as a server that hands work on would choose.
void measure_on(std::size_t size)
{
    std::vector<row> rows = make_rows();
    loops::pool_options options;
    options.threads = size;
    options.pin = loops::pinning::spread;
    bool measuring = false;
    // A chooser is what is shown a pool's loops.
    options.chooser = [&](const pool_view& loops, const selection&) {
        if (measuring)
            measure(loops, rows);
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
            around.push_back(nanoseconds_each(20000, [&](const selection& what) {
                return static_cast<std::size_t>(pool->select_event_loop(what).stopped());
            }));
        }
        done.set_value();
    });
    if (done.get_future().wait_for(patience) != std::future_status::ready)
    {
        std::fprintf(stderr, "choosers: %zu loops took too long\n", size);
        std::_Exit(1); // the thread uses what is here
    }

    for (row& it : rows)
    {
        std::sort(it.ratio.begin(), it.ratio.end());
        std::printf("%6zu  %-22s %9.1f ns  %8.2f  [%.2f, %.2f]\n", size, it.name.c_str(),
            median(it.each), it.ratio[rounds / 2], it.ratio[low], it.ratio[high]);
    }
    std::printf("%6zu  %-22s %9.1f ns\n\n", size, "select_event_loop()", median(around));
}

} // namespace

int main(int argc, char* argv[])
{
    const std::size_t most = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000;

    // A loop has three descriptors.
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0)
    {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }

    std::printf(
        "%6s  %-22s %12s  %8s  %s\n", "loops", "chooser", "a selection", "ratio", "96% interval");
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
