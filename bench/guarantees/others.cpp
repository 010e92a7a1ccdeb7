// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "scenario.hpp"

#include <cerrno>
#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

namespace guarantees {
namespace {

std::string reaped_elsewhere(const maker& make)
{
    const auto it = make({});
    lost_child lost;
    try
    {
        lost = lose_child(*it);
    }
    catch (const refused&)
    {
        return "yes"; // it was the first each time
    }
    it->run(patience, it->reports().size() + 1);
    return judge_or_lost(*it, lost.wait, SIGKILL);
}

// A child that nobody watches is dead when another one ends that is watched.
std::string stranger_stays(const maker& make)
{
    const auto it = make({});
    const pid_t stranger = it->start_raw({"exit", "5"});
    wait_until_dead(stranger);
    const int wait = start_and_watch(*it, {"sleep", "50", "7"});
    it->run(patience, 1);
    const auto word = judge(*it, wait, exited(7));
    if (!is_yes(word))
        return word;
    it->run(200, 2);
    return it->reap(stranger) == exited(5) ? "yes" : "no: reaps it";
}

// Gives a lost child's number to another one. Somebody else's process may be faster: tried again.
lost_child lose_and_replace(subject& it)
{
    for (int tries = 0;; ++tries)
    {
        const auto lost = lose_child(it);
        try
        {
            it.start_as(lost.pid, {"sleep", "1500", "9"});
            return lost;
        }
        catch (const not_offered&)
        {
            if (tries == 9)
                throw;
        }
    }
}

// What is reaped by others, and its number given to another child, which is theirs, too.
std::string play_number_used_again(const maker& make, bool drop)
{
    const auto it = make({});
    lost_child lost;
    try
    {
        lost = lose_and_replace(*it);
    }
    catch (const refused&)
    {
        return "yes"; // the number was free only after the wait had ended
    }
    const double took = milliseconds_of([&] {
        it->run(200, it->reports().size() + 1);
        if (drop)
            it->drop(lost.wait);
        it->run(200, it->reports().size() + 1);
    });
    if (!is_alive(lost.pid) && took < 1300)
        return "no: kills it";
    wait_until_dead(lost.pid);
    it->run(300, it->reports().size() + 1);
    for (const auto& told : it->reports())
    {
        if (told.wait == lost.wait && told.problem.empty() && told.status == exited(9))
            return "no: takes its status";
    }
    return it->reap(lost.pid) == exited(9) ? "yes" : "no: reaps it";
}

std::string number_used_again(const maker& make)
{
    const auto when_dropped = play_number_used_again(make, true);
    return worst({when_dropped, play_number_used_again(make, false)});
}

// Traces a process for two seconds, by a process that is no child of this one.
void trace(pid_t pid)
{
    int told[2];
    if (::pipe(told) != 0)
        throw refused("pipe");
    auto words = children::command({"trace", std::to_string(pid), "2000"});
    const auto argv = children::pointers(words);
    const pid_t between = ::fork();
    if (between == 0)
    {
        if (::fork() == 0)
        {
            ::dup2(told[1], 1);
            ::execv(argv[0], argv.data());
        }
        ::_exit(0);
    }
    ::close(told[1]);
    char answer = 'n';
    // The end of what is between may interrupt: not every handler of SIGCHLD restarts calls.
    while (::read(told[0], &answer, 1) < 0 && errno == EINTR)
        continue;
    ::close(told[0]);
    while (::waitpid(between, nullptr, 0) < 0 && errno == EINTR)
        continue;
    if (answer != 'y')
        throw not_offered(); // this process may not trace
}

// It is dead, and cannot be reaped before its tracer has looked or gone.
std::string traced_child(const maker& make)
{
    const auto it = make({});
    const pid_t pid = it->start({"pause"});
    const int wait = it->watch(pid);
    it->run(20, 1);
    trace(pid);
    ::kill(pid, SIGKILL);
    wait_until_dead(pid);
    const double cpu = children::cpu_nanoseconds(it->process());
    const double took = milliseconds_of([&] { it->run(400, 1); });
    const double used = (children::cpu_nanoseconds(it->process()) - cpu) / 1e6;
    if (took > 1200)
        return "no: the loop blocks";
    if (used > 200)
        return "no: the loop spins";
    it->run(patience, 1);
    return judge(*it, wait, SIGKILL);
}

} // namespace

void add_others(std::vector<scenario>& all)
{
    all.push_back({"Reaped by somebody else: told as lost, or truly", reaped_elsewhere});
    all.push_back({"A child that nobody watches stays for its owner", stranger_stays});
    all.push_back({"A later process with the same number is left alone", number_used_again});
    all.push_back({"A child that dies while it is traced blocks nothing", traced_child});
}

} // namespace guarantees
