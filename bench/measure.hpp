// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_MEASURE_HPP
#define LOOPS_BENCH_MEASURE_HPP

// How the programs here measure. Rivals take turns within each round, so that what else the machine does
// falls on all of them alike. A ratio is that of two figures of one round; printed are the medians of
// all rounds, and the interval that holds the ratio's true median, whatever its distribution. What is
// printed is written as JSON, too, for tools/bench: see record.hpp.

#include "record.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <time.h>

namespace measure {

/// How many of the lowest of `count` values, and of the highest, the interval leaves out. Each value
/// is on either side of the true median with equal chances, so that the order statistics give the
/// confidence. 9 values are the fewest of which one can be left out at either end.
inline std::size_t left_out(std::size_t count)
{
    double outcomes = 1; // with exactly `out` values below the median, out of 2^count
    double outside = 0;
    for (std::size_t i = 0; i < count; ++i)
        outcomes /= 2;
    std::size_t out = 0;
    while (2 * (outside + outcomes) <= 0.04)
    {
        outside += outcomes;
        outcomes *= static_cast<double>(count - out) / static_cast<double>(out + 1);
        ++out;
    }
    return out == 0 ? 0 : out - 1;
}

inline estimate estimate_of(std::vector<double> values)
{
    if (values.empty())
        return {};
    std::sort(values.begin(), values.end());
    const std::size_t out = left_out(values.size());
    return {values[values.size() / 2], values[out], values[values.size() - 1 - out]};
}

inline double nanoseconds_of(clockid_t clock)
{
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// The thread's own time: what waits for nothing is not charged for what the thread loses to others.
inline double thread_nanoseconds()
{
    return nanoseconds_of(CLOCK_THREAD_CPUTIME_ID);
}

/// The time of all threads of the process.
inline double process_nanoseconds()
{
    return nanoseconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

inline double wall_nanoseconds()
{
    return nanoseconds_of(CLOCK_MONOTONIC);
}

/// Keeps a value where the compiler cannot see that nobody wants it.
inline void keep(std::size_t value)
{
    static std::atomic<std::size_t> sink{0};
    sink.store(value, std::memory_order_relaxed);
}

/// Nanoseconds of the thread a call of `f(i)`, which gives a number.
template <class F>
double nanoseconds_each(std::size_t calls, F&& f)
{
    std::size_t sum = 0;
    const double begin = thread_nanoseconds();
    for (std::size_t i = 0; i < calls; ++i)
        sum += static_cast<std::size_t>(f(i));
    const double taken = thread_nanoseconds() - begin;
    keep(sum);
    return taken / static_cast<double>(calls);
}

/// One of those that are compared: `once()` measures for a short time, and gives the figure.
struct rival
{
    std::string name;
    std::function<double()> once;
};

/// A rival that calls `f(i)` for about 2 ms each time, and gives nanoseconds a call.
template <class F>
rival calls(std::string name, F f)
{
    return {std::move(name), [f, number = std::size_t(0)]() mutable {
                const auto once = [&] { return nanoseconds_each(number, f); };
                if (number == 0)
                {
                    number = 1;
                    while (once() * static_cast<double>(number) < 0.5e6)
                        number *= 2;
                    number *= 2;
                }
                return once();
            }};
}

struct result
{
    std::string name;
    estimate figure;
    /// Of its figure to the first one's.
    estimate ratio;
    std::size_t rounds = 0;
};

/// Lets the rivals take turns. There and back: what drifts within a round does not favour the first.
inline std::vector<result> interleave(std::size_t rounds, std::vector<rival>& rivals)
{
    std::vector<std::vector<double>> figures(rivals.size(), std::vector<double>(rounds));
    for (rival& it : rivals)
        it.once(); // warms up
    for (std::size_t round = 0; round < rounds; ++round)
    {
        for (std::size_t i = 0; i < rivals.size(); ++i)
        {
            const std::size_t turn = round % 2 == 0 ? i : rivals.size() - 1 - i;
            figures[turn][round] = rivals[turn].once();
        }
    }
    std::vector<result> results;
    for (std::size_t i = 0; i < rivals.size(); ++i)
    {
        std::vector<double> ratios(rounds);
        for (std::size_t round = 0; round < rounds; ++round)
            ratios[round] = figures[i][round] / figures[0][round];
        results.push_back({rivals[i].name, estimate_of(figures[i]), estimate_of(ratios), rounds});
    }
    return results;
}

/// The table that results belong to which are printed next: its name, and what is measured.
struct table
{
    std::string name;
    std::string what;
};
inline table& current_table()
{
    static table it;
    return it;
}

/// Writes a result of the current table.
inline void write(const result& it, const char* unit, better which = better::less)
{
    const table& in = current_table();
    write({in.name, it.name, in.what, unit, it.rounds, it.figure, it.ratio, which});
}

/// Prints a line: what stands before it, the name, the figure, the ratio and its interval. Writes it.
inline void print(const std::string& before, const result& it, const char* unit = "ns")
{
    std::printf("%s%-26s %10.1f %-5s %7.2f  [%.2f, %.2f]\n", before.c_str(), it.name.c_str(),
        it.figure.median, unit, it.ratio.median, it.ratio.low, it.ratio.high);
    std::fflush(stdout);
    write(it, unit);
}

/// The heading over such lines: of the current table, from now on.
inline void print_heading(const std::string& before, const std::string& name, const char* what)
{
    current_table() = {name, what};
    std::printf(
        "%s%-26s %16s %7s  %s\n", before.c_str(), name.c_str(), what, "ratio", "96% interval");
}

/// Spins for about a time, without a clock.
class busy_work
{
public:
    explicit busy_work(double nanoseconds)
    {
        if (nanoseconds <= 0)
            return;
        turns_ = 1 << 20;
        const double begin = thread_nanoseconds();
        (*this)();
        turns_ = static_cast<std::size_t>(
            static_cast<double>(turns_) * nanoseconds / (thread_nanoseconds() - begin));
    }

    void operator()() const
    {
        std::size_t x = turns_;
        for (std::size_t i = 0; i < turns_; ++i)
        {
            x = x * 6364136223846793005U + 1;
            asm volatile("" : "+r"(x));
        }
    }

private:
    std::size_t turns_ = 0;
};

/// Lets the process open as many files as it may, and says how many those are.
inline std::size_t raise_file_limit()
{
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0)
        return 0;
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    ::getrlimit(RLIMIT_NOFILE, &files);
    return static_cast<std::size_t>(files.rlim_cur);
}

} // namespace measure

#endif
