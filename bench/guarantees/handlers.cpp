// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "scenario.hpp"

#include <csignal>

namespace guarantees {
namespace {

// Others that die with the child of the handler that throws, while the loop waits for them, and one
// that dies later.
std::string throwing_handler(const maker& make)
{
    const auto it = make({});
    std::vector<pid_t> pids;
    std::vector<int> waits;
    for (int i = 0; i < 5; ++i)
    {
        pids.push_back(it->start({"sleep", "200", "7"}));
        waits.push_back(it->watch(pids.back(), i == 2 ? then::throws : then::nothing));
    }
    it->run(50, 1);
    for (const pid_t pid : pids)
        wait_until_dead(pid);
    it->run(1500, waits.size());
    waits.push_back(start_and_watch(*it, {"sleep", "50", "7"}));
    it->run(1500, waits.size());
    for (const int wait : waits)
    {
        const auto word = judge(*it, wait, exited(7));
        if (!is_yes(word))
            return word == "no: never told" ? "no: others are lost" : word;
    }
    return "yes";
}

// Twenty rounds: what a library keeps for a child that ended is reused for the next one. The short
// one is dead when its wait begins, so that its end is noticed in two ways.
std::string long_from_short(const maker& make)
{
    constexpr int rounds = 20;
    int blocked = 0;
    for (int i = 0; i < rounds; ++i)
    {
        const auto it = make({});
        const pid_t pid = it->start({"exit", "0"});
        wait_until_dead(pid);
        it->watch(pid, then::starts_long_one);
        const double took = milliseconds_of([&] {
            it->run(patience, 1);
            it->run(20, 2);
        });
        if (it->long_one() == 0)
            return "no: never told";
        // A loop that blocks does so for the new child's life.
        const bool lives = is_alive(it->long_one());
        if (!lives && took > 900)
            ++blocked;
        else if (it->reports().size() > 1)
            return "no: told too early";
        else if (!lives)
            return "no: the new child is dead";
        if (lives)
            ::kill(it->long_one(), SIGKILL);
        it->run(patience, 2);
    }
    return blocked == 0 ? "yes"
                        : "no: the loop blocks, " + std::to_string(blocked) + " of 20 times";
}

// The loop runs on, as that of a program does which has no use for this one child any more: what
// reaps behind an object's back does it then.
std::string object_destroyed(const maker& make)
{
    const auto it = make({});
    const pid_t pid = it->start({"pause"});
    const int wait = it->watch(pid);
    it->run(20, 1);
    it->drop_watcher(wait);
    it->run(50, 2);
    if (!is_alive(pid))
        return "no: kills the child";
    ::kill(pid, SIGTERM);
    wait_until_dead(pid);
    it->run(100, 2);
    return it->reap(pid) == SIGTERM ? "yes" : "no: reaps the child";
}

std::string cancelled(const maker& make)
{
    const auto it = make({});
    const pid_t pid = it->start({"pause"});
    const int wait = it->watch(pid);
    it->run(20, 1);
    try
    {
        it->cancel(wait);
    }
    catch (const not_offered&)
    {
        return "no: cannot be cancelled";
    }
    it->run(100, 1);
    std::string word = "yes";
    if (it->reports().empty() && it->is_held(wait))
    {
        word = "no: by terminal cancellation only";
        it->cancel_harder(wait);
        it->run(100, 1);
        if (it->reports().empty() && it->is_held(wait))
            return "no: cannot be cancelled";
    }
    int again = 0;
    try
    {
        again = it->watch(pid);
    }
    catch (const not_offered&)
    {
        return "no: is the child's last";
    }
    if (!is_alive(pid))
        return "no: kills the child";
    ::kill(pid, SIGTERM);
    const auto before = it->reports().size();
    it->run(patience, before + 1);
    const auto told = judge(*it, again, SIGTERM);
    return is_yes(told) ? word : "no: the second " + told.substr(4);
}

std::string loop_destroyed(const maker& make)
{
    const auto it = make({});
    const pid_t pid = it->start({"pause"});
    const int wait = it->watch(pid);
    it->run(20, 1);
    try
    {
        it->drop_loop();
    }
    catch (const refused&)
    {
        return "no: the loop refuses";
    }
    pause_for(100);
    if (!is_alive(pid))
        return "no: kills the child";
    const bool held = it->is_held(wait);
    ::kill(pid, SIGTERM);
    return held ? "no: the handler stays" : "yes";
}

} // namespace

void add_handlers(std::vector<scenario>& all)
{
    all.push_back({"A handler that throws harms no other", throwing_handler});
    all.push_back({"A long child started at a short one's end blocks nothing", long_from_short});
    all.push_back({"Destroying what watches neither kills nor reaps", object_destroyed});
    all.push_back({"A wait is cancelled, and the child waited for again", cancelled});
    all.push_back({"A wait ends with its loop", loop_destroyed});
}

} // namespace guarantees
