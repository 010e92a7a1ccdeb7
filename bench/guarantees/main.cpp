// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What is guaranteed about children, by each watcher of Loops and by other libraries: a table, in
// AsciiDoc. Each cell is the outcome of a scenario that was played.
//
// usage: child_guarantees [part of a guarantee] [part of a subject's name]
//
// A scenario is played in a process of its own, which gets 40 seconds; what it leaves behind is
// killed, by number. "yes", "no" with what happened, or "-" where there is nothing that could hold
// it.

#include "../table.hpp"
#include "scenario.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace guarantees {
namespace {

constexpr int seconds = 40;

int answer = -1; // where a scenario's process writes its word

void write_line(const std::string& line)
{
    const std::string all = line + "\n";
    if (::write(answer, all.data(), all.size()) < 0)
        ::_exit(1);
}

[[noreturn]] void play(const scenario& what, const children::kind& who)
{
    // The libraries' own words are not part of the table.
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(null, 2);
    std::string word;
    try
    {
        word = what.play(who.make);
    }
    catch (const not_offered&)
    {
        word = "-";
    }
    catch (const std::exception& problem)
    {
        word = std::string("no: throws ") + problem.what();
    }
    write_line("word " + word);
    ::_exit(0);
}

// Kills what is a child of this process, once scenarios' own processes have gone.
void clean_up()
{
    for (int i = 0; i < 100; ++i)
    {
        const auto left = children_of(::getpid());
        if (left.empty())
            return;
        for (const pid_t pid : left)
            ::kill(pid, SIGKILL);
        while (::waitpid(-1, nullptr, WNOHANG) > 0)
            continue;
        pause_for(5);
    }
}

std::string read_all(int fd, const double end)
{
    std::string all;
    char buffer[512];
    for (;;)
    {
        const double left = (end - children::monotonic_nanoseconds()) / 1e6;
        pollfd wanted{fd, POLLIN, 0};
        if (left <= 0 || ::poll(&wanted, 1, static_cast<int>(left) + 1) == 0)
            return all;
        const ssize_t size = ::read(fd, buffer, sizeof buffer);
        if (size <= 0)
            return all;
        all.append(buffer, static_cast<std::size_t>(size));
        if (all.find("word ") != std::string::npos)
            return all;
    }
}

std::string cell(const scenario& what, const children::kind& who)
{
    int channel[2];
    if (::pipe2(channel, O_CLOEXEC) != 0)
        return "-";
    const pid_t player = ::fork();
    if (player == 0)
    {
        ::close(channel[0]);
        answer = channel[1];
        ::alarm(seconds + 5);
        play(what, who);
    }
    ::close(channel[1]);
    const double end = children::monotonic_nanoseconds() + seconds * 1e9;
    const std::string said = read_all(channel[0], end);
    ::close(channel[0]);
    const bool hangs =
        said.find("word ") == std::string::npos && children::monotonic_nanoseconds() >= end;
    ::kill(player, hangs ? SIGKILL : SIGCONT);
    int status = 0;
    // A process that said its word leaves, unless a library's code at exit holds it.
    for (int i = 0; i < 1000 && ::waitpid(player, &status, WNOHANG) == 0; ++i)
        pause_for(2);
    clean_up();
    const auto at = said.find("word ");
    if (at != std::string::npos)
        return said.substr(at + 5, said.find('\n', at) - at - 5);
    if (hangs)
        return "no: hangs";
    return WIFSIGNALED(status) ? "no: crashes, signal " + std::to_string(WTERMSIG(status))
                               : "no: the process ends";
}

bool contains(const std::string& all, const std::string& part)
{
    return all.find(part) != std::string::npos;
}

int run(const std::string& which, const std::string& whose)
{
    // What scenarios' processes leave behind becomes a child of this one.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    auto subjects = children::kinds();
    subjects.erase(std::remove_if(subjects.begin(), subjects.end(),
                       [&](const children::kind& it) { return !contains(it.name, whose); }),
        subjects.end());
    std::vector<std::string> names;
    for (const auto& who : subjects)
        names.push_back(who.name);
    auto wanted = scenarios();
    wanted.erase(std::remove_if(wanted.begin(), wanted.end(),
                     [&](const scenario& it) { return !contains(it.guarantee, which); }),
        wanted.end());
    std::vector<std::string> guarantees;
    for (const auto& what : wanted)
        guarantees.push_back(what.guarantee);
    print_guarantees(guarantees, names,
        [&](std::size_t what, std::size_t who) { return cell(wanted[what], subjects[who]); });
    return 0;
}

} // namespace
} // namespace guarantees

int main(int argc, char* argv[])
{
    return guarantees::run(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "");
}
