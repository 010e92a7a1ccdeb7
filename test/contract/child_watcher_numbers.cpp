// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_numbers

#include "support/child_outcomes.hpp"
#include "support/child_watchers.hpp"
#include "support/numbered_child.hpp"

#include <boost/test/unit_test.hpp>

using namespace test;

// The number of a child is given to another process, after somebody else reaped it: nothing may
// happen to that process. Boost.Process v2 signals and reaps by number.

BOOST_AUTO_TEST_CASE_TEMPLATE(the_number_is_given_to_a_process_that_lives, Setup, setups)
{
    if (nobody_else_reaps("child_watcher_numbers/the_number_is_given_to_a_process_that_lives"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    by_callback way;
    gated_child child(7);
    const auto result = way.start(*watcher, loop, child.pid());
    loop.poll();
    child.reap();
    numbered_child other(child.pid(), 8);
    if (!other)
    {
        skipped("child_watcher_numbers/the_number_is_given_to_a_process_that_lives",
            "the numbers of processes cannot be chosen here");
        return Setup::run(loop);
    }
    run_in_time(loop);
    BOOST_TEST(is_true_or_lost(*result, 7), result->ec() << ", " << result->exit().returncode());
    BOOST_TEST(other.is_takeable());
    BOOST_TEST(other.take_code() == 8);
    run_in_time(loop);
    BOOST_TEST(result->calls() == 1U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_number_is_given_to_a_process_that_is_dead, Setup, setups)
{
    if (nobody_else_reaps("child_watcher_numbers/the_number_is_given_to_a_process_that_is_dead"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    by_callback way;
    gated_child child(7);
    const auto result = way.start(*watcher, loop, child.pid());
    loop.poll();
    child.reap();
    numbered_child other(child.pid(), 8);
    if (!other)
    {
        skipped("child_watcher_numbers/the_number_is_given_to_a_process_that_is_dead",
            "the numbers of processes cannot be chosen here");
        return Setup::run(loop);
    }
    other.die();
    run_in_time(loop);
    BOOST_TEST(is_true_or_lost(*result, 7), result->ec() << ", " << result->exit().returncode());
    BOOST_TEST(other.is_takeable());
    BOOST_TEST(other.take_code() == 8);
}

// The new process is waited for as well: by another wait, which is not to get the old one's end.
BOOST_AUTO_TEST_CASE_TEMPLATE(the_new_process_of_a_number_is_waited_for, Setup, setups)
{
    if (nobody_else_reaps("child_watcher_numbers/the_new_process_of_a_number_is_waited_for"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    by_callback way;
    gated_child child(7);
    const auto before = way.start(*watcher, loop, child.pid());
    loop.poll();
    child.reap();
    numbered_child other(child.pid(), 8);
    if (!other)
    {
        skipped("child_watcher_numbers/the_new_process_of_a_number_is_waited_for",
            "the numbers of processes cannot be chosen here");
        return Setup::run(loop);
    }
    const auto after = way.start(*watcher, loop, child.pid());
    other.let_go();
    run_in_time(loop);
    BOOST_TEST(is_true_or_lost(*before, 7), before->ec() << ", " << before->exit().returncode());
    BOOST_TEST(after->calls() == 1U);
    BOOST_TEST(!after->ec());
    BOOST_TEST(after->exit().returncode() == 8);
    BOOST_TEST(!other.is_takeable());
}

// ~process() of Boost.Process v2 kills, and reaps, who has the number.
BOOST_AUTO_TEST_CASE_TEMPLATE(destroyed_when_the_number_is_somebody_elses, Setup, setups)
{
    if (nobody_else_reaps("child_watcher_numbers/destroyed_when_the_number_is_somebody_elses"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    auto watcher = Setup::make();
    by_callback way;
    gated_child child(7);
    const auto result = way.start(*watcher, loop, child.pid());
    loop.poll();
    child.reap();
    numbered_child other(child.pid(), 8);
    if (!other)
        skipped("child_watcher_numbers/destroyed_when_the_number_is_somebody_elses",
            "the numbers of processes cannot be chosen here");
    watcher.reset();
    Setup::run(loop);
    BOOST_TEST(result->calls() == 1U);
    BOOST_TEST((result->ec() == asio::error::operation_aborted || is_true_or_lost(*result, 7)));
    if (!other)
        return;
    BOOST_TEST(other.is_takeable());
    BOOST_TEST(other.take_code() == 8);
}
