// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "scenario.hpp"

#include <csignal>

#include <pthread.h>

namespace guarantees {
namespace {

// The kernel discards the status of children then, unless a handler is installed.
std::string ignored_before(const maker& make)
{
    ::signal(SIGCHLD, SIG_IGN);
    const auto it = make({});
    const int wait = start_and_watch(*it, {"sleep", "100", "7"});
    it->run(patience, 1);
    return judge_or_lost(*it, wait, exited(7));
}

std::string ignored_later(const maker& make)
{
    const auto it = make({});
    const int wait = start_and_watch(*it, {"sleep", "100", "7"});
    it->run(20, 1);
    it->ignore_signal();
    it->run(patience, 1);
    return judge_or_lost(*it, wait, exited(7));
}

// As in a program whose threads leave signals to one that waits for them.
std::string blocked(const maker& make)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    const auto it = make({});
    const int wait = start_and_watch(*it, {"sleep", "100", "7"});
    it->run(patience, 1);
    return judge(*it, wait, exited(7));
}

std::string application_handler(const maker& make)
{
    children::setup before;
    before.counts_signals = true;
    const auto it = make(before);
    const int wait = start_and_watch(*it, {"sleep", "50", "7"});
    it->run(patience, 1);
    it->run(50, 2);
    const auto word = judge(*it, wait, exited(7));
    if (!is_yes(word))
        return word;
    const bool called = it->signals_counted() > 0;
    it->close();
    if (!it->counter_stands())
        return called ? "no: not put back" : "no: gone for good";
    return called ? "yes" : "no: not called meanwhile";
}

} // namespace

void add_signals(std::vector<scenario>& all)
{
    all.push_back({"SIGCHLD is ignored from the start: told as lost, or truly", ignored_before});
    all.push_back({"SIGCHLD is ignored later: told as lost, or truly", ignored_later});
    all.push_back({"SIGCHLD is blocked: told", blocked});
    all.push_back(
        {"The application's SIGCHLD handler is called, and put back", application_handler});
}

} // namespace guarantees
