// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_GUARANTEES_SCENARIO_HPP
#define LOOPS_BENCH_GUARANTEES_SCENARIO_HPP

#include "../children/subject.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace guarantees {

using children::not_offered;
using children::refused;
using children::subject;
using children::then;

// Makes the subject that a scenario is played with.
using maker = std::function<std::unique_ptr<subject>(const children::setup&)>;

// A guarantee and what tries it: gives "yes", or "no: ..." with what happened, and throws
// not_offered where the subject has nothing that could hold it. It runs in a process of its own.
struct scenario
{
    std::string guarantee;
    std::string (*play)(const maker& make);
};

std::vector<scenario> scenarios();

void add_basic(std::vector<scenario>& all);
void add_handlers(std::vector<scenario>& all);
void add_others(std::vector<scenario>& all);
void add_signals(std::vector<scenario>& all);
void add_system(std::vector<scenario>& all);

// --- support ---

constexpr long patience = 3000; // milliseconds, in which a loop is to tell of an end

constexpr int exited(int code)
{
    return code << 8;
}

// What a scenario gives for what was told of a wait: "yes" for this status, once.
std::string judge(const subject& it, int wait, int status);

// The same, and an error is as good: what is to be known is that the status was lost.
std::string judge_or_lost(const subject& it, int wait, int status);

bool is_yes(const std::string& word);

// The first that is no yes; yes where there is none.
std::string worst(const std::vector<std::string>& words);

// Starts a child, watches it, and gives its wait.
int start_and_watch(subject& it, const children::arguments& args, then action = then::nothing);

// Waits until the child is dead, reaped or not.
void wait_until_dead(pid_t pid);

bool is_alive(pid_t pid);
bool is_dead_unreaped(pid_t pid);

// Children of the subject's process: all of them, dead or not.
std::vector<pid_t> children_of(pid_t process);

void pause_for(long milliseconds);

// Milliseconds of the wall clock that a call takes.
template <class F>
double milliseconds_of(F f)
{
    const double begin = children::monotonic_nanoseconds();
    f();
    return (children::monotonic_nanoseconds() - begin) / 1e6;
}

// Has a new child die and be reaped by another thread than the subject's, before that has done so;
// tries again where it was late. Gives the child, and its wait.
struct lost_child
{
    pid_t pid = 0;
    int wait = 0;
};
lost_child lose_child(subject& it);

} // namespace guarantees

#endif
