// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_many

#include "support/child_outcomes.hpp"
#include "support/child_watchers.hpp"
#include "support/process_load.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <thread>

#include <fcntl.h>
#include <sys/resource.h>

using namespace test;

// As many children alive as the machine allows, all gone at once: each handler is called once, with
// the right code, and no turn of a loop takes long.

namespace {

using std::chrono::nanoseconds;

std::size_t number_in(const char* file, std::size_t otherwise)
{
    std::size_t number = 0;
    return std::ifstream(file) >> number ? number : otherwise;
}

// 1,000; up to 10,000 in the full run, where there is room for them, and for others.
std::size_t how_many()
{
    std::size_t most = std::min<std::size_t>(rounds(1000), 10000);
    most = std::min(most, number_in("/proc/sys/kernel/pid_max", 32768) / 2);
    most = std::min(most, number_in("/sys/fs/cgroup/pids.max", 1000000) / 2);
    rlimit limit{};
    ::getrlimit(RLIMIT_NPROC, &limit);
    if (limit.rlim_cur != RLIM_INFINITY)
        most = std::min(most, static_cast<std::size_t>(limit.rlim_cur) / 2);
    return most;
}

// As many descriptors as the system lets us have, while it lives.
class many_descriptors
{
public:
    many_descriptors()
    {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit more = before_;
        more.rlim_cur = more.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &more);
    }
    many_descriptors(const many_descriptors&) = delete;
    many_descriptors& operator=(const many_descriptors&) = delete;
    ~many_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

int code_of(std::size_t number)
{
    return static_cast<int>(number % 250);
}

// Children that live until the gate is shut, which all of them share.
class crowd
{
public:
    explicit crowd(std::size_t size)
    {
        require(::pipe2(gate_, O_CLOEXEC) == 0, "pipe2");
        pids_.reserve(size);
        for (std::size_t i = 0; i < size; ++i)
        {
            const pid_t pid = ::fork();
            if (pid == 0)
            {
                ::close(gate_[1]);
                ::alarm(250); // where the test ends before it lets them go
                char byte = 0;
                ::_exit(::read(gate_[0], &byte, 1) == 0 ? code_of(i) : 255);
            }
            if (pid < 0)
                break; // there is no room for more
            pids_.push_back(pid);
        }
        ::close(gate_[0]);
    }
    crowd(const crowd&) = delete;
    crowd& operator=(const crowd&) = delete;
    ~crowd() { let_go(); }

    const std::vector<pid_t>& pids() const { return pids_; }

    void let_go()
    {
        if (gate_[1] >= 0)
            ::close(gate_[1]);
        gate_[1] = -1;
    }

private:
    int gate_[2] = {-1, -1};
    std::vector<pid_t> pids_;
};

// What the handlers were called with; each has a place of its own.
class tally
{
public:
    explicit tally(std::size_t size) : calls_(size), codes_(size) {}

    auto handler(std::size_t number)
    {
        return [this, number](loops::error_code ec, const loops::child_exit& exit) {
            ++calls_[number];
            codes_[number] = ec ? -1 : exit.returncode();
            ++total_;
        };
    }

    std::size_t total() const { return total_; }
    std::size_t wrong() const
    {
        std::size_t count = 0;
        for (std::size_t i = 0; i < calls_.size(); ++i)
            count += calls_[i] == 1 && codes_[i] == code_of(i) ? 0U : 1U;
        return count;
    }

private:
    std::vector<std::atomic<int>> calls_;
    std::vector<std::atomic<int>> codes_;
    std::atomic<std::size_t> total_{0};
};

// Runs the loop to its end, turn by turn; gives the longest turn's own time.
nanoseconds run_measured(asio::io_context& loop)
{
    nanoseconds longest{};
    loop.restart();
    for (bool ran = true; ran;)
    {
        const auto before = used_time(CLOCK_THREAD_CPUTIME_ID);
        ran = loop.run_one() > 0;
        longest = std::max(longest, used_time(CLOCK_THREAD_CPUTIME_ID) - before);
    }
    return longest;
}

void say(const char* what, std::size_t children, nanoseconds longest)
{
    std::printf("%s, %.*s: %zu children, longest turn %.3f ms\n", what,
        static_cast<int>(watcher_name().size()), watcher_name().data(), children,
        std::chrono::duration<double, std::milli>(longest).count());
}

// Generous: what a turn takes of the CPU, which no other process adds to.
constexpr std::chrono::milliseconds bound(100);

} // namespace

BOOST_AUTO_TEST_CASE(on_one_loop)
{
    const child_ledger ledger;
    const many_descriptors descriptors;
    crowd children(how_many());
    const std::size_t size = children.pids().size();
    if (size < how_many())
        skipped("child_watcher_many/on_one_loop", "the machine allows fewer children than wanted");
    asio::io_context loop;
    const auto watcher = make_watcher();
    watcher->attach_loop(loop);
    tally waits(size);
    tally handlers(size);
    for (std::size_t i = 0; i < size; ++i)
    {
        watcher->async_wait(children.pids()[i], waits.handler(i));
        watcher->add_child_handler(children.pids()[i], handlers.handler(i));
    }
    loop.poll();
    BOOST_TEST(waits.total() == 0U);
    children.let_go();
    const auto longest = run_measured(loop);
    say("one loop", size, longest);
    BOOST_TEST(waits.total() == size);
    BOOST_TEST(handlers.total() == size);
    BOOST_TEST(waits.wrong() == 0U);
    BOOST_TEST(handlers.wrong() == 0U);
    BOOST_TEST((longest < bound), longest.count());
}

// Four loops, each of which waits for all of them.
BOOST_AUTO_TEST_CASE(on_four_loops)
{
    const child_ledger ledger;
    const many_descriptors descriptors;
    crowd children(how_many() / 4);
    const std::size_t size = children.pids().size();
    const auto watcher = make_watcher();
    std::vector<std::unique_ptr<asio::io_context>> loops;
    std::vector<std::unique_ptr<tally>> tallies;
    for (int i = 0; i < 4; ++i)
    {
        loops.push_back(std::make_unique<asio::io_context>());
        tallies.push_back(std::make_unique<tally>(size));
    }
    // The first child's waits are the loops' first ones, and have them open what they need while that has
    // small numbers, as Asio's reactor by select() wants it.
    for (std::size_t child = 0; child < size; ++child)
    {
        for (std::size_t i = 0; i < loops.size(); ++i)
            watcher->async_wait(children.pids()[child],
                asio::bind_executor(loops[i]->get_executor(), tallies[i]->handler(child)));
    }
    children.let_go();
    std::vector<nanoseconds> longest(4);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 4; ++i)
        threads.emplace_back([&, i] { longest[i] = run_measured(*loops[i]); });
    for (std::thread& thread : threads)
        thread.join();
    say("four loops", size, *std::max_element(longest.begin(), longest.end()));
    for (const auto& each : tallies)
    {
        BOOST_TEST(each->total() == size);
        BOOST_TEST(each->wrong() == 0U);
    }
    BOOST_TEST((*std::max_element(longest.begin(), longest.end()) < bound));
}

// Dead before they are registered.
BOOST_AUTO_TEST_CASE(dead_before)
{
    const child_ledger ledger;
    const many_descriptors descriptors;
    crowd children(how_many() / 2);
    const std::size_t size = children.pids().size();
    children.let_go();
    for (const pid_t pid : children.pids())
        until_dead(pid);
    asio::io_context loop;
    const auto watcher = make_watcher();
    watcher->attach_loop(loop);
    tally waits(size);
    for (std::size_t i = 0; i < size; ++i)
        watcher->async_wait(children.pids()[i], waits.handler(i));
    const auto longest = run_measured(loop);
    say("dead before", size, longest);
    BOOST_TEST(waits.total() == size);
    // Who reaps everyone keeps a bounded number for those that are not registered yet.
    if (!reaps_everyone())
        BOOST_TEST(waits.wrong() == 0U);
    BOOST_TEST((longest < bound));
}

// Half of them are cancelled by closing, while the other half ends.
BOOST_AUTO_TEST_CASE(closed_amid)
{
    const child_ledger ledger;
    const many_descriptors descriptors;
    crowd children(how_many() / 4);
    const std::size_t size = children.pids().size();
    asio::io_context loop;
    const auto watcher = make_watcher();
    const auto other = make_watcher();
    watcher->attach_loop(loop);
    other->attach_loop(loop);
    tally stay(size);
    tally go(size);
    for (std::size_t i = 0; i < size; ++i)
    {
        watcher->async_wait(children.pids()[i], stay.handler(i));
        other->async_wait(children.pids()[i], go.handler(i));
    }
    loop.poll();
    children.let_go();
    const auto before = used_time(CLOCK_THREAD_CPUTIME_ID);
    other->close();
    const auto closing = used_time(CLOCK_THREAD_CPUTIME_ID) - before;
    const auto longest = run_measured(loop);
    say("closed amid", size, std::max(longest, closing));
    BOOST_TEST(stay.total() == size);
    BOOST_TEST(stay.wrong() == 0U);
    BOOST_TEST(go.total() == size);
    BOOST_TEST((longest < bound));
}
