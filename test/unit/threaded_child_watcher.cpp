// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE threaded_child_watcher

#include "support/child_outcomes.hpp"
#include "support/child_watchers.hpp"
#include "support/faults.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"
#include "support/process_load.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <chrono>

using namespace test;
using loops::error;

namespace {

// One that reaps, one that waits.
constexpr std::ptrdiff_t most_threads = 2;

bool ends_with(std::ptrdiff_t threads)
{
    return eventually([threads] { return count_threads() <= threads; });
}

// Turns the loop for a while, as one that has a live child to wait for; gives what it cost.
std::chrono::nanoseconds cost_of(asio::io_context& loop, std::chrono::milliseconds period)
{
    asio::steady_timer timer(loop, period);
    bool over = false;
    timer.async_wait([&](const auto&) { over = true; });
    const auto before = used_time();
    loop.restart();
    while (!over && loop.run_one() > 0)
    {}
    return used_time() - before;
}

constexpr std::chrono::milliseconds period(300);

} // namespace

BOOST_AUTO_TEST_CASE(the_number_of_threads_is_bounded)
{
    const child_ledger ledger;
    const auto before = count_threads();
    asio::io_context loop;
    asio::io_context other;
    {
        loops::threaded_child_watcher watcher;
        loops::threaded_child_watcher second;
        BOOST_TEST(count_threads() == before);
        by_callback way;
        std::vector<gated_child> children;
        std::vector<outcome_ptr> results;
        for (int i = 0; i < 50; ++i)
        {
            children.emplace_back(i);
            results.push_back(way.start(watcher, loop, children.back().pid()));
            way.start(second, other, children.back().pid());
            BOOST_TEST(count_threads() <= before + most_threads);
        }
        for (int i = 0; i < 25; ++i)
        {
            children[static_cast<std::size_t>(i)].let_go();
            loop.restart();
            while (results[static_cast<std::size_t>(i)]->calls() == 0 && loop.run_one() > 0)
            {}
            BOOST_TEST(count_threads() <= before + most_threads);
        }
        for (gated_child& child : children)
            child.let_go();
        run(loop, 1);
        run(other, 1);
        for (int i = 0; i < 50; ++i)
            BOOST_TEST(is_true(*results[static_cast<std::size_t>(i)], i));
        BOOST_TEST(count_threads() <= before + most_threads);
    }
    BOOST_TEST(ends_with(before));
}

// Closed while a thread is in a wait that nothing ends: of the child itself, and of a foreign one.
BOOST_AUTO_TEST_CASE(close_waits_for_no_child)
{
    const child_ledger ledger;
    const auto before = count_threads();
    gated_child foreign;
    {
        asio::io_context loop;
        loops::threaded_child_watcher watcher;
        by_callback way;
        gated_child child(4);
        const auto result = way.start(watcher, loop, child.pid());
        loop.poll();
        BOOST_TEST(eventually([&] { return count_threads() == before + most_threads; }));
        watcher.close();
        run(loop, 1);
        BOOST_TEST((result->ec() == asio::error::operation_aborted));
        child.reap();

        loops::threaded_child_watcher second;
        const auto ended = way.start(second, loop, child_that_exits(5));
        run(loop, 1);
        BOOST_TEST(is_true(*ended, 5));
    }
    foreign.let_go();
    int status = -1;
    BOOST_TEST(::waitpid(foreign.pid(), &status, 0) == foreign.pid());
    BOOST_TEST(status == 0);
    BOOST_TEST(ends_with(before));
}

// Each watcher leaves a thread in such a wait: the next one finds it, and makes none.
BOOST_AUTO_TEST_CASE(opened_and_closed_while_a_foreign_child_lives)
{
    const child_ledger ledger;
    const auto before = count_threads();
    gated_child foreign;
    asio::io_context loop;
    for (int i = 0; i < 50; ++i)
    {
        loops::threaded_child_watcher watcher;
        by_callback way;
        const auto result = way.start(watcher, loop, child_that_exits(i));
        if (i % 2 == 0)
            watcher.close();
        run(loop, 1);
        BOOST_TEST((i % 2 == 0 ? result->calls() == 1 : is_true(*result, i)));
        BOOST_TEST(eventually([&] { return count_threads() <= before + most_threads; }));
        while (::waitpid(-1, nullptr, WNOHANG) > 0)
        {}
    }
    foreign.reap();
    while (::waitpid(-1, nullptr, 0) > 0)
    {}
    BOOST_TEST(ends_with(before));
}

BOOST_AUTO_TEST_CASE(a_dead_child_of_nobodys_makes_no_thread_spin)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::threaded_child_watcher watcher;
    by_callback way;
    const pid_t stranger = child_that_exits(41);
    until_dead(stranger);
    gated_child child(5);
    gated_child next(6);
    const auto first = way.start(watcher, loop, child.pid());
    BOOST_TEST((cost_of(loop, period) < period / 3));
    child.let_go();
    loop.restart();
    while (first->calls() == 0 && loop.run_one() > 0)
    {}
    BOOST_TEST(is_true(*first, 5));

    const auto second = way.start(watcher, loop, next.pid());
    BOOST_TEST((cost_of(loop, period) < period / 3));
    int status = -1;
    BOOST_TEST(::waitpid(stranger, &status, 0) == stranger);
    BOOST_TEST(WEXITSTATUS(status) == 41);
    BOOST_TEST((cost_of(loop, period) < period / 3));
    next.let_go();
    run(loop, 1);
    BOOST_TEST(is_true(*second, 6));
}

// While the process has no child: none any more, or none but one that somebody else took.
BOOST_AUTO_TEST_CASE(no_thread_spins_without_a_child)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::threaded_child_watcher watcher;
    by_callback way;
    way.start(watcher, loop, child_that_exits(1));
    run(loop, 1);
    BOOST_TEST((cost_of(loop, period) < period / 3));
    gated_child child(5);
    const auto lost = way.start(watcher, loop, child.pid());
    child.reap(); // by somebody else: the only one
    BOOST_TEST((cost_of(loop, period) < period / 3));
    run(loop, 1);
    BOOST_TEST(is_true_or_lost(*lost, 5));
}

BOOST_AUTO_TEST_CASE(no_thread_to_be_had)
{
    const child_ledger ledger;
    const auto before = count_threads();
    // None at all; the second; the first.
    for (const fault& made : {fault{"thread", EAGAIN}, fault{"thread", EAGAIN, -1, 1},
             fault{"thread", EAGAIN, 1}, fault{"thread", ENOMEM}})
    {
        asio::io_context loop;
        by_callback way;
        {
            loops::threaded_child_watcher watcher;
            gated_child second(6);
            gated_child third(7);
            outcome_ptr first_result;
            outcome_ptr second_result;
            {
                const faults none{made};
                first_result = way.start(watcher, loop, child_that_exits(5));
                second_result = way.start(watcher, loop, second.pid());
                BOOST_TEST(faults::asked() > 0);
                while (first_result->calls() == 0 && loop.run_one() > 0)
                {}
            }
            BOOST_TEST(is_true(*first_result, 5));
            // There are threads again.
            const auto third_result = way.start(watcher, loop, third.pid());
            second.let_go();
            third.let_go();
            run(loop, 1);
            BOOST_TEST(is_true(*second_result, 6));
            BOOST_TEST(is_true(*third_result, 7));
        }
        BOOST_TEST(ends_with(before));
    }
}

// Its threads are the parent's; a new watcher in the forked child has its own.
BOOST_AUTO_TEST_CASE(forked)
{
    if (no_threads_in_child("threaded_child_watcher/forked"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    loops::threaded_child_watcher watcher;
    by_callback way;
    gated_child child(5);
    const auto result = way.start(watcher, loop, child.pid());
    loop.poll();
    const int code = in_forked_child([&] {
        ::alarm(60);
        const auto before = count_threads();
        asio::io_context own;
        {
            loops::threaded_child_watcher fresh;
            gated_child grandchild(3);
            const auto ended = way.start(fresh, own, grandchild.pid());
            if (count_threads() > before + most_threads)
                return 1;
            grandchild.let_go();
            run(own, 1);
            if (!is_true(*ended, 3))
                return 2;
            const auto parents = way.start(fresh, own, child.pid());
            run(own, 1);
            if (parents->ec() != error::not_a_child)
                return 3;
        }
        watcher.close();
        return ends_with(before) ? 0 : 4;
    });
    BOOST_TEST(code == 0);
    const auto second = way.start(watcher, loop, child_that_exits(6));
    child.let_go();
    run(loop, 1);
    BOOST_TEST(is_true(*result, 5));
    BOOST_TEST(is_true(*second, 6));
}

BOOST_AUTO_TEST_CASE(its_name)
{
    BOOST_TEST(loops::threaded_child_watcher().name() == "threaded");
}
