// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What it takes to start a program and to wait for its end, by Loops and by others: microseconds, one after
// the other, and the ratio to the fewest system calls that do it. The program does nothing but end. Then
// the same in a process that holds much memory, or many open descriptors.
//
// usage: program_starts [rounds, 25 unless given] [MiB of memory, 1024] [descriptors, 5000]

#include "../children/subject.hpp"
#include "../measure.hpp"
#include "starters.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {

constexpr int starts_a_turn = 20;

void measure_all(std::size_t rounds, const std::string& heading)
{
    std::vector<std::unique_ptr<starts::starter>> all;
    std::vector<measure::rival> rivals;
    for (const starts::kind& each : starts::kinds())
    {
        all.push_back(each.make(children::beside("tiny")));
        starts::starter& it = *all.back();
        rivals.push_back({each.name, [&it] {
                              const double begin = measure::wall_nanoseconds();
                              for (int i = 0; i < starts_a_turn; ++i)
                                  it.start_and_wait();
                              return (measure::wall_nanoseconds() - begin) / starts_a_turn / 1000;
                          }});
    }
    measure::print_heading("", heading, "median");
    for (const measure::result& each : measure::interleave(rounds, rivals))
        measure::print("", each, "us");
    std::printf("\n");
}

} // namespace

std::vector<starts::kind> starts::kinds()
{
    std::vector<kind> all;
    add_raw(all);
    add_loops(all);
    add_boost(all);
#if defined(LOOPS_BENCH_HAS_LIBUV)
    add_libuv(all);
#endif
#if defined(LOOPS_BENCH_HAS_GLIB)
    add_glib(all);
#endif
    add_asyncio(all);
    return all;
}

int main(int argc, char* argv[])
try
{
    const std::size_t rounds = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 25;
    const std::size_t mebibytes = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1024;
    const std::size_t descriptors = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 5000;
    if (rounds < 9)
    {
        std::fprintf(stderr, "usage: program_starts [rounds, 9 or more] [MiB of memory] [descriptors]\n");
        return 2;
    }
    measure::raise_file_limit();
    measure_all(rounds, "a small process");

    const std::size_t size = mebibytes << 20;
    void* const memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        throw std::runtime_error("there is not so much memory");
    std::memset(memory, 1, size);
    measure_all(rounds, std::to_string(mebibytes) + " MiB resident");
    ::munmap(memory, size);

    std::vector<int> open;
    while (open.size() < descriptors)
    {
        open.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        if (open.back() < 0)
            throw std::runtime_error("there are not so many descriptors");
    }
    measure_all(rounds, std::to_string(descriptors) + " descriptors");
    return 0;
}
catch (const std::exception& e)
{
    std::fprintf(stderr, "program_starts: %s\n", e.what());
    return 1;
}
