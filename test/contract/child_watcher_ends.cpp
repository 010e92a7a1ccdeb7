// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_ends

#include "support/child_watchers.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

using namespace test;
using loops::error;

BOOST_AUTO_TEST_CASE_TEMPLATE(exit_codes, Setup, setups_and_ways)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    std::vector<std::pair<outcome_ptr, pid_t>> waits;
    for (const int code : {0, 1, 42, 255})
    {
        const pid_t pid = child_that_exits(code);
        waits.emplace_back(way.start(*watcher, loop, pid), pid);
    }
    Setup::run(loop);
    way.finish();
    int at = 0;
    for (const int code : {0, 1, 42, 255})
    {
        const auto& [result, pid] = waits[static_cast<std::size_t>(at++)];
        BOOST_TEST(result->calls() == 1U);
        BOOST_TEST(!result->ec());
        BOOST_TEST(result->exit().pid() == pid);
        BOOST_TEST(result->exit().exited());
        BOOST_TEST(result->exit().exit_code() == code);
        BOOST_TEST(result->exit().returncode() == code);
        BOOST_TEST(result->exit().native_status() == code << 8);
        BOOST_TEST(result->exit().rusage().has_value());
        BOOST_TEST(!result->exit().signaled());
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(signals, Setup, setups_and_ways)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    std::vector<outcome_ptr> results;
    for (const int signal : {SIGKILL, SIGTERM, SIGSEGV, SIGRTMIN})
        results.push_back(way.start(*watcher, loop, child_that_dies_of(signal)));
    Setup::run(loop);
    way.finish();
    std::size_t at = 0;
    for (const int signal : {SIGKILL, SIGTERM, SIGSEGV, SIGRTMIN})
    {
        const auto exit = results[at++]->exit();
        BOOST_TEST(exit.signaled());
        BOOST_TEST(!exit.exited());
        BOOST_TEST(exit.term_signal() == signal);
        BOOST_TEST(exit.returncode() == -signal);
        BOOST_TEST(!exit.core_dumped());
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_child_that_is_dead_already, Setup, setups_and_ways)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    const pid_t pid = child_that_exits(3);
    until_dead(pid);
    const auto result = way.start(*watcher, loop, pid);
    BOOST_TEST(result->calls() == 0U);
    Setup::run(loop);
    way.finish();
    BOOST_TEST(result->exit().returncode() == 3);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_status_that_somebody_took, Setup, setups_and_ways)
{
    if (nobody_else_reaps("child_watcher_ends/a_status_that_somebody_took"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    gated_child child(9);
    const auto result = way.start(*watcher, loop, child.pid());
    loop.poll();
    const int taken = child.reap();
    Setup::run(loop);
    way.finish();
    BOOST_TEST(result->calls() == 1U);
    BOOST_TEST(told_of_somebody_else(*result, taken, 9));
}

// Somebody else reaped while a wait is there that has not noticed.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_second_registration_finds_the_status_taken, Setup, setups)
{
    if (nobody_else_reaps("child_watcher_ends/a_second_registration_finds_the_status_taken"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    gated_child child;
    by_callback way;
    const auto before = way.start(*watcher, loop, child.pid());
    const int taken = child.reap();
    const auto after = way.start(*watcher, loop, child.pid());
    Setup::run(loop);
    BOOST_TEST(told_of_somebody_else(*before, taken, 0));
    BOOST_TEST((after->ec() == error::not_a_child));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_child_that_ends_without_a_signal, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    by_callback way;
    const auto result = way.start(*watcher, loop, child_without_signal(5));
    Setup::run(loop);
    BOOST_TEST(!result->ec());
    BOOST_TEST(result->exit().returncode() == 5);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_it_used, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    by_callback way;
    constexpr std::chrono::milliseconds busy(20);
    const auto result = way.start(*watcher, loop, start_child([busy] {
        timespec used{};
        do
            ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        while (std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec) < busy);
        return 0;
    }));
    Setup::run(loop);
    BOOST_REQUIRE(result->exit().rusage().has_value());
    const auto used = *result->exit().rusage();
    BOOST_TEST((used.user + used.system >= busy / 2));
    BOOST_TEST((used.user + used.system < std::chrono::seconds(20)));
    BOOST_TEST(used.max_resident_kib > 100);
    BOOST_TEST(used.minor_faults > 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_core_image, Setup, setups)
{
    const child_ledger ledger;
    rlimit limit{};
    ::getrlimit(RLIMIT_CORE, &limit);
    std::string pattern;
    std::getline(std::ifstream("/proc/sys/kernel/core_pattern"), pattern);
    if (limit.rlim_max == 0 || pattern.empty() || pattern.front() == '|')
        return skipped("child_watcher_waits/a_core_image", "no core image can be had here");
    const auto folder =
        std::filesystem::temp_directory_path() / ("loops-core-" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    asio::io_context loop;
    const auto watcher = Setup::make();
    by_callback way;
    const auto result = way.start(*watcher, loop, start_child([&] {
        rlimit all = limit;
        all.rlim_cur = all.rlim_max;
        ::setrlimit(RLIMIT_CORE, &all);
        if (::chdir(folder.c_str()) != 0)
            return 1;
        ::signal(SIGQUIT, SIG_DFL);
        ::kill(::getpid(), SIGQUIT);
        ::pause();
        return 0;
    }));
    Setup::run(loop);
    BOOST_TEST(result->exit().term_signal() == SIGQUIT);
    const bool left = !std::filesystem::is_empty(folder);
    if (left)
        BOOST_TEST(result->exit().core_dumped());
    else if (!result->exit().core_dumped())
        skipped("child_watcher_waits/a_core_image", "the system left no core image");
    std::filesystem::remove_all(folder);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(children_that_the_kernel_reaps, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    struct sigaction ignore = {};
    struct sigaction before = {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGCHLD, &ignore, &before);
    gated_child child;
    by_callback way;
    const auto result = way.start(*watcher, loop, child.pid());
    child.let_go();
    Setup::run(loop);
    ::sigaction(SIGCHLD, &before, nullptr);
    // Who takes SIGCHLD has the kernel keep the status.
    BOOST_TEST(told_of_somebody_else(*result, needs_attachment() ? -1 : 0, 0));
}
