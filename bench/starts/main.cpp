// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What it takes to start a program and to wait for its end, by Loops and by others: microseconds, one after
// the other, and the ratio to the fewest system calls that do it. The program does nothing but end. Then
// the same in a process that holds 10 MiB, or much memory, or many open descriptors; and for Loops in one
// that watches many children.
//
// usage: program_starts [rounds, 25 unless given] [MiB of memory, 1024] [descriptors, 5000]

#include "../children/subject.hpp"
#include "../measure.hpp"
#include "starters.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int starts_a_turn = 20;

// A starter in a process of its own: libraries take SIGCHLD from each other. It has what this process has by
// then, memory and descriptors. Told by a byte, it answers with microseconds a start.
class player
{
public:
    explicit player(const starts::kind& who)
    {
        int to[2];
        int from[2];
        if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0)
            throw std::system_error(errno, std::generic_category(), "pipe2");
        pid_ = ::fork();
        if (pid_ == 0)
        {
            ::close(to[1]);
            play(who, to[0], from[1]);
        }
        ::close(to[0]);
        ::close(from[1]);
        to_ = to[1];
        from_ = from[0];
    }
    player(const player&) = delete;
    player& operator=(const player&) = delete;

    ~player()
    {
        ::close(to_);
        ::close(from_);
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    double once()
    {
        const char byte = 's';
        double result = 0;
        if (::write(to_, &byte, 1) != 1 || ::read(from_, &result, sizeof result) != sizeof result)
            throw std::runtime_error("a process that starts others is gone");
        return result;
    }

private:
    [[noreturn]] static void play(const starts::kind& who, int from, int to) noexcept
    {
        try
        {
            ::alarm(300);
            const auto it = who.make(children::beside("tiny"));
            for (char byte = 0; ::read(from, &byte, 1) == 1;)
            {
                const double begin = measure::wall_nanoseconds();
                for (int i = 0; i < starts_a_turn; ++i)
                    it->start_and_wait();
                const double each = (measure::wall_nanoseconds() - begin) / starts_a_turn / 1000;
                if (::write(to, &each, sizeof each) != sizeof each)
                    break;
            }
        }
        catch (const std::exception& e)
        {
            std::fprintf(stderr, "program_starts: %s: %s\n", who.name.c_str(), e.what());
        }
        ::_exit(0);
    }

    pid_t pid_ = 0;
    int to_ = -1;
    int from_ = -1;
};

constexpr std::size_t watched_children = 5000;

// As much as a server has at least.
constexpr std::size_t server_mebibytes = 10;

// Memory that this process, and each that it forks, has resident.
class memory
{
public:
    explicit memory(std::size_t size)
        : size_(size),
          begin_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    {
        if (begin_ == MAP_FAILED)
            throw std::runtime_error("there is not so much memory");
        std::memset(begin_, 1, size);
    }
    memory(const memory&) = delete;
    memory& operator=(const memory&) = delete;
    ~memory() { ::munmap(begin_, size_); }

private:
    const std::size_t size_;
    void* const begin_;
};

void measure_all(std::size_t rounds, const std::string& heading,
    const std::vector<starts::kind>& kinds = starts::kinds())
{
    std::vector<std::unique_ptr<player>> all;
    std::vector<measure::rival> rivals;
    for (const starts::kind& each : kinds)
    {
        all.push_back(std::make_unique<player>(each));
        rivals.push_back({each.name, [it = all.back().get()] { return it->once(); }});
    }
    measure::print_heading("", heading, "a start");
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
#if defined(LOOPS_BENCH_HAS_LIBEV)
    add_libev(all);
#endif
    add_asyncio(all);
#if defined(LOOPS_BENCH_HAS_TOKIO)
    add_tokio(all);
#endif
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
        std::fprintf(
            stderr, "usage: program_starts [rounds, 9 or more] [MiB of memory] [descriptors]\n");
        return 2;
    }
    measure::raise_file_limit();
    measure_all(rounds, "a small process");

    for (const std::size_t each : {server_mebibytes, mebibytes})
    {
        const memory held(each << 20);
        measure_all(rounds, std::to_string(each) + " MiB resident");
    }

    std::vector<int> open;
    while (open.size() < descriptors)
    {
        open.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        if (open.back() < 0)
            throw std::runtime_error("there are not so many descriptors");
    }
    measure_all(rounds, std::to_string(descriptors) + " descriptors");
    for (const int each : open)
        ::close(each);

    measure_all(rounds, "children that are watched",
        {starts::kinds().front(), starts::beside_children(10),
            starts::beside_children(watched_children)});
    return 0;
}
catch (const std::exception& e)
{
    std::fprintf(stderr, "program_starts: %s\n", e.what());
    return 1;
}
