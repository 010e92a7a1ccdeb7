// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What is guaranteed about loops, by Loops and by other libraries: a table, in AsciiDoc. Each cell is the
// outcome of a scenario that was played in a process of its own, which gets ten seconds: "yes", "no" with
// what happened, or "-" where the library has nothing that could hold it.
//
// usage: loop_guarantees

#include "../table.hpp"
#include "rules.hpp"

#include <csignal>
#include <cstddef>
#include <exception>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace rules {
namespace {

const subject* const subjects[] = {
    &of_loops,
    &of_asio,
#if defined(LOOPS_BENCH_HAS_LIBUV)
    &of_libuv,
#endif
#if defined(LOOPS_BENCH_HAS_GLIB)
    &of_glib,
#endif
    &of_asyncio,
#if defined(LOOPS_BENCH_HAS_TOKIO)
    &of_tokio,
#endif
};

struct row
{
    const char* guarantee;
    play subject::*by;
};

constexpr row rows[] = {
    {"Code that asks on any thread gets that thread's loop", &subject::own_loop},
    {"A loop that is gone is current nowhere, or kept", &subject::dead_loop},
    {"A stop before a run ends that run, and no other", &subject::early_stop},
    {"To close a running loop is refused", &subject::close_running},
    {"What waits on a loop is released with it", &subject::pending},
    {"A main task leaves the caller's current loop as it was", &subject::restores},
    {"In a forked child no loop is running", &subject::in_fork},
    {"A wait of a day is tested in no time", &subject::day},
    {"What waits behind a busy handler is taken by another thread", &subject::taken},
};

word outcome(play what)
{
    if (what == nullptr)
        return "-";
    int channel[2];
    if (::pipe(channel) != 0)
        return "no: no pipe";
    const pid_t player = ::fork();
    if (player == 0)
    {
        ::alarm(10);
        word said;
        try
        {
            said = what();
        }
        catch (const std::exception& problem)
        {
            said = word("no: throws ") + problem.what();
        }
        ::_exit(::write(channel[1], said.data(), said.size()) < 0 ? 1 : 0);
    }
    ::close(channel[1]);
    char said[256];
    const ssize_t size = ::read(channel[0], said, sizeof said);
    ::close(channel[0]);
    int status = 0;
    ::waitpid(player, &status, 0);
    if (size > 0)
        return word(said, static_cast<std::size_t>(size));
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "no: hangs" : "no: crashes";
}

void print_table()
{
    std::vector<std::string> guarantees;
    for (const row& what : rows)
        guarantees.emplace_back(what.guarantee);
    std::vector<std::string> names;
    for (const subject* who : subjects)
        names.emplace_back(who->name);
    print_guarantees(guarantees, names,
        [](std::size_t what, std::size_t who) { return outcome(subjects[who]->*rows[what].by); });
}

} // namespace
} // namespace rules

int main()
{
    rules::print_table();
}
