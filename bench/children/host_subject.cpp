// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "host_subject.hpp"

#include <cstdlib>
#include <istream>
#include <sstream>
#include <utility>

namespace children {
namespace {

std::string joined(const arguments& args)
{
    std::string line;
    for (const auto& arg : args)
        line += " " + arg;
    return line;
}

const char* word_of(then action)
{
    switch (action)
    {
    case then::throws: return "throws";
    case then::drops: return "drops";
    case then::starts_long_one: return "starts_long_one";
    case then::nothing: break;
    }
    return "nothing";
}

std::string line_of(const host& it)
{
    char line[512];
    if (!std::fgets(line, sizeof line, it.said()))
        throw refused("the host has ended");
    return line;
}

std::string rest_of(std::istream& words)
{
    std::string rest;
    std::getline(words >> std::ws, rest);
    return rest;
}

std::string answer_in(const std::string& line)
{
    std::istringstream words(line);
    std::string what;
    words >> what;
    if (what == "no")
        throw not_offered();
    const std::string rest = rest_of(words);
    if (what != "ok")
        throw refused(rest);
    return rest;
}

} // namespace

host_subject::host_subject(std::vector<std::string> command, bool starts)
    : subject({}), starts_(starts), host_(std::move(command))
{
    ask("hello");
}

pid_t host_subject::start(const arguments& args)
{
    return starts_ ? ask_number("begin" + joined(args)) : start_raw(args);
}

pid_t host_subject::start_raw(const arguments& args)
{
    return ask_number("start" + joined(args));
}

void host_subject::start_failing()
{
    ask("start_failing");
}

int host_subject::watch(pid_t pid, then action)
{
    return ask_number("watch " + std::to_string(pid) + " " + word_of(action));
}

void host_subject::run(long milliseconds, std::size_t reports)
{
    host_.tell("run " + std::to_string(milliseconds) + " " + std::to_string(reports) + "\n");
    for (;;)
    {
        const std::string line = line_of(host_);
        std::istringstream words(line);
        std::string what;
        words >> what;
        if (what != "told")
        {
            set_long_one(std::atoi(answer_in(line).c_str()));
            return;
        }
        report it;
        words >> it.wait >> it.status >> it.at;
        it.problem = rest_of(words);
        add_report(std::move(it));
    }
}

void host_subject::cancel(int wait)
{
    ask("cancel " + std::to_string(wait));
}

void host_subject::drop(int wait)
{
    ask("drop " + std::to_string(wait));
}

void host_subject::drop_watcher(int)
{
    ask("drop_watcher");
}

void host_subject::drop_loop()
{
    ask("drop_loop");
}

void host_subject::close()
{
    ask("close");
}

bool host_subject::is_held(int wait) const
{
    return ask_number("held " + std::to_string(wait)) != 0;
}

void host_subject::start_as(pid_t pid, const arguments& args)
{
    ask("start_as " + std::to_string(pid) + joined(args));
}

int host_subject::reap(pid_t pid)
{
    return ask_number("reap " + std::to_string(pid));
}

void host_subject::reap_by_thread(pid_t pid)
{
    ask("reap_by_thread " + std::to_string(pid));
}

int host_subject::reaped()
{
    return ask_number("reaped");
}

void host_subject::ignore_signal()
{
    ask("ignore_signal");
}

std::size_t host_subject::signals_counted() const
{
    return static_cast<std::size_t>(ask_number("signals"));
}

bool host_subject::counter_stands() const
{
    return ask_number("counter_stands") != 0;
}

void host_subject::use_up_descriptors(int left)
{
    ask("use_up_descriptors " + std::to_string(left));
}

void host_subject::release_descriptors()
{
    ask("release_descriptors");
}

std::string host_subject::ask(const std::string& operation) const
{
    host_.tell(operation + "\n");
    return answer_in(line_of(host_));
}

int host_subject::ask_number(const std::string& operation) const
{
    return std::atoi(ask(operation).c_str());
}

} // namespace children
