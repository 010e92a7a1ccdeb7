// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "scenario.hpp"

#include <csignal>

namespace guarantees {
namespace {

std::string true_code(const maker& make)
{
    const auto it = make({});
    const int wait = start_and_watch(*it, {"exit", "7"});
    it->run(patience, 1);
    return judge(*it, wait, exited(7));
}

std::string true_signal(const maker& make)
{
    const auto it = make({});
    const int wait = start_and_watch(*it, {"signal", std::to_string(SIGTERM)});
    it->run(patience, 1);
    return judge(*it, wait, SIGTERM);
}

// Fifty that are all dead when the loop looks: the kernel makes one signal of theirs.
std::string play_told_once(const maker& make)
{
    constexpr int count = 50;
    const auto it = make({});
    std::vector<int> waits;
    std::vector<pid_t> pids;
    for (int i = 1; i <= count; ++i)
    {
        pids.push_back(it->start({"sleep", "50", std::to_string(i)}));
        waits.push_back(it->watch(pids.back()));
    }
    for (const pid_t pid : pids)
        wait_until_dead(pid);
    it->run(patience, count);
    it->run(100, count + 1);
    std::vector<std::string> words;
    for (int i = 1; i <= count; ++i)
        words.push_back(judge(*it, waits[static_cast<std::size_t>(i - 1)], exited(i)));
    return worst(words);
}

// Twenty times: some of it is a matter of luck.
std::string told_once(const maker& make)
{
    std::vector<std::string> words;
    for (int i = 0; i < 20; ++i)
        words.push_back(play_told_once(make));
    return worst(words);
}

std::string dead_before(const maker& make)
{
    const auto it = make({});
    const pid_t pid = it->start({"exit", "7"});
    wait_until_dead(pid);
    const int wait = it->watch(pid);
    it->run(patience, 1);
    return judge(*it, wait, exited(7));
}

std::string two_waits(const maker& make)
{
    const auto it = make({});
    const pid_t pid = it->start({"sleep", "100", "7"});
    const int first = it->watch(pid);
    const int second = it->watch(pid);
    it->run(1500, 2);
    const std::string of_first = judge(*it, first, exited(7));
    const std::string of_second = judge(*it, second, exited(7));
    if (is_yes(of_first) && is_yes(of_second))
        return "yes";
    return is_yes(of_first) ? "no: second " + of_second.substr(4)
                            : "no: first " + of_first.substr(4);
}

// The status that was told before is as good as an error.
std::string wait_after_end(const maker& make)
{
    const auto it = make({});
    const pid_t pid = it->start({"exit", "7"});
    it->watch(pid);
    it->run(patience, 1);
    int wait = 0;
    try
    {
        wait = it->watch(pid);
    }
    catch (const refused&)
    {
        return "yes";
    }
    catch (const not_offered&)
    {
        throw;
    }
    catch (const std::exception&)
    {
        return "yes"; // an exception of the library's own
    }
    it->run(1500, 2);
    return judge_or_lost(*it, wait, exited(7));
}

std::string failed_start(const maker& make)
{
    const auto it = make({});
    const auto before = children_of(it->process()).size();
    std::string word = "no: starts it";
    try
    {
        it->start_failing();
    }
    catch (const not_offered&)
    {
        throw;
    }
    catch (const std::exception&)
    {
        word = "yes";
    }
    it->run(200, 1);
    for (int i = 0; i < 200 && children_of(it->process()).size() > before; ++i)
        pause_for(1);
    if (children_of(it->process()).size() > before)
        return "no: leaves a zombie";
    return word;
}

} // namespace

void add_basic(std::vector<scenario>& all)
{
    all.push_back({"The true exit code is told", true_code});
    all.push_back({"The true signal is told", true_signal});
    all.push_back({"50 exits at once: each told exactly once", told_once});
    all.push_back({"A child that is dead before its wait is told", dead_before});
    all.push_back({"Two waits for one child are both told", two_waits});
    all.push_back({"A wait after the end says so, or the same status", wait_after_end});
    all.push_back({"A start that fails leaves no zombie", failed_start});
}

} // namespace guarantees
