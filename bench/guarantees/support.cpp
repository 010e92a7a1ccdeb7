// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "scenario.hpp"

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace guarantees {
namespace {

// R, S, Z, ... ; 0 where there is no such process.
char state_of(pid_t pid)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    const auto name_end = line.rfind(')');
    return name_end == std::string::npos || name_end + 2 >= line.size() ? '\0' : line[name_end + 2];
}

std::string words_of(int status)
{
    if (WIFSIGNALED(status))
        return "signal " + std::to_string(WTERMSIG(status));
    return "code " + std::to_string(WEXITSTATUS(status));
}

std::string judge_told(const subject& it, int wait, int status, bool may_be_lost)
{
    const children::report* told = nullptr;
    for (const auto& each : it.reports())
    {
        if (each.wait != wait)
            continue;
        if (told)
            return "no: told twice";
        told = &each;
    }
    if (!told)
        return "no: never told";
    if (!told->problem.empty())
        return may_be_lost ? "yes" : "no: says " + told->problem;
    if (told->status == status)
        return "yes";
    if (told->status == 0)
        return "no: false success";
    return "no: says " + words_of(told->status);
}

} // namespace

std::vector<scenario> scenarios()
{
    std::vector<scenario> all;
    add_basic(all);
    add_handlers(all);
    add_others(all);
    add_signals(all);
    add_system(all);
    return all;
}

std::string judge(const subject& it, int wait, int status)
{
    return judge_told(it, wait, status, false);
}

std::string judge_or_lost(const subject& it, int wait, int status)
{
    return judge_told(it, wait, status, true);
}

bool is_yes(const std::string& word)
{
    return word == "yes";
}

std::string worst(const std::vector<std::string>& words)
{
    for (const auto& word : words)
    {
        if (!is_yes(word))
            return word;
    }
    return "yes";
}

int start_and_watch(subject& it, const children::arguments& args, then action)
{
    return it.watch(it.start(args), action);
}

void wait_until_dead(pid_t pid)
{
    for (int i = 0; i < 3000 && is_alive(pid); ++i)
        pause_for(1);
}

bool is_alive(pid_t pid)
{
    const char state = state_of(pid);
    return state != '\0' && state != 'Z' && state != 'X';
}

bool is_dead_unreaped(pid_t pid)
{
    return state_of(pid) == 'Z';
}

std::vector<pid_t> children_of(pid_t process)
{
    const std::string tasks = "/proc/" + std::to_string(process) + "/task";
    std::vector<pid_t> all;
    for (const auto& task : std::filesystem::directory_iterator(tasks))
    {
        std::ifstream file(task.path() / "children");
        for (pid_t pid; file >> pid;)
            all.push_back(pid);
    }
    return all;
}

void pause_for(long milliseconds)
{
    timespec time{milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (::nanosleep(&time, &time) != 0 && errno == EINTR)
        continue;
}

lost_child lose_child(subject& it)
{
    for (int i = 0; i < 500; ++i)
    {
        const pid_t pid = it.start({"pause"});
        const int wait = it.watch(pid);
        it.reap_by_thread(pid);
        pause_for(2);
        ::kill(pid, SIGKILL);
        if (it.reaped() == SIGKILL)
            return {pid, wait};
        it.run(patience, it.reports().size() + 1);
    }
    throw refused("never lost");
}

} // namespace guarantees
