// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_TRIPS_PAIR_HPP
#define LOOPS_BENCH_TRIPS_PAIR_HPP

#include "../measure.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sched.h>

namespace trips {

// The CPUs that this thread may use.
std::vector<unsigned> allowed_cpus();

// Keeps this thread, and those that it starts, on some CPUs while it lives.
class confined
{
public:
    explicit confined(const std::vector<unsigned>& cpus);
    confined(const confined&) = delete;
    confined& operator=(const confined&) = delete;
    ~confined() { ::sched_setaffinity(0, sizeof before_, &before_); }

private:
    cpu_set_t before_{};
};

// Where two threads are to be, out of the CPUs that this thread may use.
std::array<unsigned, 2> two_places();

// Both of a trip, or of what is between two looks at the clocks.
struct times
{
    double wall = 0;
    double cpu = 0;

    static times now() { return {measure::wall_nanoseconds(), measure::process_nanoseconds()}; }

    times since(const times& earlier) const { return {wall - earlier.wall, cpu - earlier.cpu}; }
};

// Two that hop to each other.
class pair
{
public:
    pair() = default;
    pair(const pair&) = delete;
    pair& operator=(const pair&) = delete;
    virtual ~pair() = default;

    // Makes so many trips there and back, and gives what all of them took.
    virtual times trips(std::size_t count) = 0;

    // Gives the other one something to run.
    virtual void poke() = 0;

    // The CPU time of the two, of the process that they are in but for this thread.
    virtual double cpu() const
    {
        return measure::process_nanoseconds() - measure::thread_nanoseconds();
    }
};

// A kind of pair, by its name.
struct setting
{
    std::string name;
    std::function<std::unique_ptr<pair>()> make;
};

void add_bare(std::vector<setting>& all);
void add_loops(std::vector<setting>& all);
void add_libuv(std::vector<setting>& all);
void add_glib(std::vector<setting>& all);
void add_libev(std::vector<setting>& all);
void add_asyncio(std::vector<setting>& all);

// What it costs to post, on one thread.
void measure_posting(std::size_t rounds);

} // namespace trips

#endif
