// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_peers

#include "support/child_outcomes.hpp"
#include "support/child_watchers.hpp"
#include "support/error_check.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"
#include "support/sanitizers.hpp"
#include "support/shortage.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cerrno>
#include <functional>

#include <sys/ptrace.h>

using namespace test;

// Where Boost.Process, libuv and GLib lose an exit, falsify it, or harm what is not theirs.

namespace {

std::atomic<int> child_signals{0};

void count_child_signal(int)
{
    ++child_signals;
}

} // namespace

// libuv's loop never ends, and GLib reports a success, where somebody else reaps: here by number,
// and while the watcher looks.
BOOST_AUTO_TEST_CASE_TEMPLATE(somebody_reaps_at_the_same_time, Setup, setups_and_ways)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    for (std::size_t round = 0; round < rounds(10); ++round)
    {
        gated_child child(9);
        const auto result = way.start(*watcher, loop, child.pid());
        loop.restart();
        loop.poll();
        std::thread thief([&] { child.reap(); });
        Setup::run(loop);
        thief.join();
        way.finish();
        BOOST_TEST(
            is_true_or_lost(*result, 9), result->ec() << ", " << result->exit().returncode());
    }
}

// The same by somebody who reaps whoever is dead, as an application's own SIGCHLD handler does.
BOOST_AUTO_TEST_CASE_TEMPLATE(somebody_reaps_everyone, Setup, setups_and_ways)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    for (std::size_t round = 0; round < rounds(3); ++round)
    {
        std::vector<gated_child> children;
        std::vector<outcome_ptr> results;
        for (int i = 0; i < 10; ++i)
        {
            children.emplace_back(i + 1);
            results.push_back(way.start(*watcher, loop, children.back().pid()));
        }
        loop.restart();
        loop.poll();
        std::thread thief([&] {
            while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR)
            {}
        });
        for (gated_child& child : children)
            child.let_go();
        Setup::run(loop);
        thief.join();
        way.finish();
        for (std::size_t i = 0; i < results.size(); ++i)
            BOOST_TEST(is_true_or_lost(*results[i], static_cast<int>(i) + 1),
                i << ": " << results[i]->ec() << ", " << results[i]->exit().returncode());
    }
}

// Of very many children, of which most live on: the lost ones are found among them.
BOOST_AUTO_TEST_CASE_TEMPLATE(somebody_reaps_a_few_of_many, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    by_callback way;
    std::vector<gated_child> children;
    std::vector<outcome_ptr> results;
    for (int i = 0; i < 200; ++i)
    {
        children.emplace_back(i);
        results.push_back(way.start(*watcher, loop, children.back().pid()));
    }
    const auto is_taken = [](std::size_t i) { return i % 20 == 7; };
    std::thread rest([&] {
        for (std::size_t i = 0; i < children.size(); ++i)
        {
            if (is_taken(i))
                children[i].reap();
        }
        for (std::size_t i = 0; i < children.size(); ++i)
        {
            const bool ended = eventually([&] { return !is_taken(i) || results[i]->calls() > 0; });
            BOOST_TEST((ended && (is_taken(i) || results[i]->calls() == 0)), i);
        }
        for (gated_child& child : children)
            child.let_go();
    });
    Setup::run(loop);
    rest.join();
    for (std::size_t i = 0; i < results.size(); ++i)
    {
        const int code = static_cast<int>(i);
        BOOST_TEST((is_taken(i) ? is_true_or_lost(*results[i], code) : is_true(*results[i], code)),
            i << ": " << results[i]->ec() << ", " << results[i]->exit().returncode());
    }
}

// Boost.Process v2 leaks the child, with "Bad file descriptor".
BOOST_AUTO_TEST_CASE_TEMPLATE(no_descriptor_is_left, Setup, setups)
{
    if (LOOPS_TEST_ADDRESS_SANITIZER)
        return skipped("child_watcher_peers/no_descriptor_is_left",
            "UndefinedBehaviorSanitizer looks at memory by a pipe, and takes its lack for a fault");
    const child_ledger ledger;
    for (const bool attached : {true, false})
    {
        const int code = in_forked_child([&] {
            ::alarm(60);
            asio::io_context loop;
            const asio::steady_timer reactor(loop); // Asio's own descriptors
            const auto watcher = Setup::make();
            if (attached)
                watcher->attach_loop(loop);
            by_callback way;
            gated_child child(6);
            if (!use_up_descriptors())
                return 1;
            const auto first = way.start(*watcher, loop, child.pid());
            const auto second = way.start(*watcher, loop, child.pid());
            child.let_go();
            Setup::run(loop);
            return (is_true(*first, 6) ? 0 : 2) + (is_true(*second, 6) ? 0 : 4);
        });
        BOOST_TEST(code == 0, (attached ? "attached: " : "not attached: ") << code);
    }
}

// Not even one for the loop's own reactor: the call fails, and leaves nothing behind.
BOOST_AUTO_TEST_CASE_TEMPLATE(no_descriptor_is_left_for_the_loop, Setup, setups)
{
    if (LOOPS_TEST_ADDRESS_SANITIZER)
        return skipped("child_watcher_peers/no_descriptor_is_left_for_the_loop",
            "UndefinedBehaviorSanitizer looks at memory by a pipe, and takes its lack for a fault");
    const child_ledger ledger;
    const int code = in_forked_child([&] {
        ::alarm(60);
        asio::io_context loop;
        const auto watcher = Setup::make();
        by_callback way;
        gated_child child(6);
        if (!use_up_descriptors())
            return 1;
        tells_its_end handler;
        const std::weak_ptr<int> alive = handler.alive;
        const auto refusal = error_of([&] {
            watcher->async_wait(
                child.pid(), asio::bind_executor(loop.get_executor(), std::move(handler)));
        });
        if (refusal != boost::system::errc::too_many_files_open)
            return 2;
        if (!alive.expired())
            return 3;
        allow_more_descriptors();
        const auto result = way.start(*watcher, loop, child.pid());
        child.let_go();
        Setup::run(loop);
        return is_true(*result, 6) ? 0 : 4;
    });
    BOOST_TEST(code == 0, code);
}

// Boost.Process and libuv take the application's handler away, and leave the default behind.
BOOST_AUTO_TEST_CASE_TEMPLATE(the_handler_of_the_application, Setup, setups_and_ways)
{
    warm_up_background();
    const child_ledger ledger;
    struct sigaction own = {};
    struct sigaction before = {};
    own.sa_handler = count_child_signal;
    own.sa_flags = SA_RESTART | SA_NOCLDSTOP;
    ::sigaction(SIGCHLD, &own, &before);
    {
        asio::io_context loop;
        const auto watcher = Setup::make();
        watcher->attach_loop(loop);
        typename Setup::way way;
        for (int i = 0; i < 5; ++i)
        {
            child_signals = 0;
            const auto result = way.start(*watcher, loop, child_that_exits(i));
            Setup::run(loop);
            way.finish();
            BOOST_TEST(result->exit().returncode() == i);
            BOOST_TEST(eventually([] { return child_signals > 0; }));
        }
        watcher->close();
    }
    struct sigaction after = {};
    ::sigaction(SIGCHLD, &before, &after);
    BOOST_TEST((after.sa_handler == count_child_signal));
    BOOST_TEST((after.sa_flags & (SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP)) == own.sa_flags);
}

// Dead children that nobody registered, before ours and after.
BOOST_AUTO_TEST_CASE_TEMPLATE(dead_children_of_somebody_else, Setup, setups_and_ways)
{
    if (nobody_else_reaps("child_watcher_peers/dead_children_of_somebody_else"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    std::vector<pid_t> foreign{child_that_exits(41), child_that_dies_of(SIGTERM)};
    for (const pid_t pid : foreign)
        until_dead(pid);
    std::vector<outcome_ptr> results;
    for (int i = 0; i < 20; ++i)
        results.push_back(way.start(*watcher, loop, child_that_exits(i)));
    foreign.push_back(child_that_exits(43));
    Setup::run(loop);
    way.finish();
    for (std::size_t i = 0; i < results.size(); ++i)
        BOOST_TEST(results[i]->exit().returncode() == static_cast<int>(i));
    std::vector<int> statuses;
    for (const pid_t pid : foreign)
    {
        int status = -1;
        BOOST_TEST(::waitpid(pid, &status, 0) == pid);
        statuses.push_back(status);
    }
    BOOST_TEST((statuses == std::vector<int>{41 << 8, SIGTERM, 43 << 8}));
}

// Boost.Process v2 blocks the loop while a dead child's tracer has not looked.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_dead_child_that_is_traced, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    by_callback way;
    gated_child child(7);
    int told[2];
    int leave[2];
    BOOST_REQUIRE(::pipe(told) == 0);
    BOOST_REQUIRE(::pipe(leave) == 0);
    const pid_t tracer = start_child([&] {
        char byte = ::ptrace(PTRACE_SEIZE, child.pid(), nullptr, nullptr) == 0 ? 'y' : 'n';
        if (::write(told[1], &byte, 1) != 1 || byte == 'n')
            return 1;
        siginfo_t info{};
        ::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT);
        byte = 'd';
        return ::write(told[1], &byte, 1) == 1 && ::read(leave[0], &byte, 1) == 1 ? 0 : 1;
    });
    char byte = 0;
    BOOST_REQUIRE(::read(told[0], &byte, 1) == 1);
    const bool is_traced = byte == 'y';
    const auto result = way.start(*watcher, loop, child.pid());
    child.let_go();
    if (is_traced)
    {
        BOOST_REQUIRE(::read(told[0], &byte, 1) == 1); // it is dead, to its tracer
        int turns = 0;
        std::function<void()> turn = [&] {
            if (++turns == 100)
            {
                BOOST_TEST(result->calls() == 0U);
                byte = 1;
                BOOST_TEST(::write(leave[1], &byte, 1) == 1);
            }
            else
                asio::post(loop, turn);
        };
        asio::post(loop, turn);
        Setup::run(loop);
        BOOST_TEST(turns == 100);
    }
    else
    {
        skipped("child_watcher_peers/a_dead_child_that_is_traced", "ptrace is refused here");
        Setup::run(loop);
    }
    BOOST_TEST(result->exit().returncode() == 7);
    ::waitpid(tracer, nullptr, 0);
    for (const int fd : {told[0], told[1], leave[0], leave[1]})
        ::close(fd);
}
