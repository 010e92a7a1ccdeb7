// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_RULES_RULES_HPP
#define LOOPS_BENCH_RULES_RULES_HPP

#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <thread>

namespace rules {

// "yes", or "no: ..." with what happened.
using word = std::string;

// Plays what tries a rule, in a process of its own; null: there is nothing that could hold it.
using play = word (*)();

// What a library does about each rule, in the order of the table.
struct subject
{
    const char* name;
    play own_loop;
    play dead_loop;
    play early_stop;
    play close_running;
    play pending;
    play restores;
    play in_fork;
    play day;
    play taken;
};

extern const subject of_loops;
extern const subject of_asio;
extern const subject of_libuv;
extern const subject of_glib;
extern const subject of_asyncio;
extern const subject of_tokio;

inline word yes_or(bool held, const char* otherwise)
{
    return held ? "yes" : word("no: ") + otherwise;
}

// Whether what a handler posts runs while that handler waits for it.
template <class Post>
word taken_by_another(Post post)
{
    std::promise<bool> result;
    post([&] {
        const auto ran = std::make_shared<std::promise<void>>();
        std::future<void> has_run = ran->get_future();
        post([ran] { ran->set_value(); });
        result.set_value(has_run.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
    });
    return yes_or(result.get_future().get(), "it waits");
}

// The first line of what a command prints.
inline word said_by(const word& command, const char* otherwise)
{
    FILE* const out = ::popen(command.c_str(), "r");
    char line[256] = "";
    const bool said = out != nullptr && std::fgets(line, sizeof line, out) != nullptr;
    if (out == nullptr || ::pclose(out) != 0 || !said)
        return yes_or(false, otherwise);
    const word all = line;
    return all.substr(0, all.find('\n'));
}

// What a function gives on another thread.
template <class F>
auto elsewhere(F f)
{
    decltype(f()) result{};
    std::thread([&] { result = f(); }).join();
    return result;
}

} // namespace rules

#endif
