// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_states

#include "support/child_outcomes.hpp"
#include "support/child_states.hpp"
#include "support/child_watchers.hpp"

#include <boost/test/unit_test.hpp>

using namespace test;
using loops::error;

// Children that are stopped and continued, and the watchers that see it.

BOOST_AUTO_TEST_CASE_TEMPLATE(stopped_continued_ended, Setup, state_setups)
{
    if (sees_none("child_watcher_states/stopped_continued_ended"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    gated_child child(5);
    for (int round = 0; round < 3; ++round)
    {
        ::kill(child.pid(), SIGSTOP);
        const auto stopped = next_state<Setup>(*watcher, loop, child.pid());
        BOOST_TEST(stopped->calls == 1U);
        BOOST_TEST(!stopped->ec);
        BOOST_TEST(stopped->state.pid() == child.pid());
        BOOST_TEST(stopped->state.stopped());
        BOOST_TEST(stopped->state.stop_signal() == SIGSTOP);
        BOOST_TEST(!stopped->state.continued());
        BOOST_TEST(!stopped->state.ended());
        BOOST_TEST(stopped->state.exit().pid() == 0);
        BOOST_TEST(WIFSTOPPED(stopped->state.native_status()));

        ::kill(child.pid(), SIGCONT);
        const auto continued = next_state<Setup>(*watcher, loop, child.pid());
        BOOST_TEST(!continued->ec);
        BOOST_TEST(continued->state.continued());
        BOOST_TEST(!continued->state.stopped());
        BOOST_TEST(!continued->state.ended());
        BOOST_TEST(WIFCONTINUED(continued->state.native_status()));
    }
    child.let_go();
    const auto ended = next_state<Setup>(*watcher, loop, child.pid());
    BOOST_TEST(!ended->ec);
    BOOST_TEST(ended->state.ended());
    BOOST_TEST(!ended->state.stopped());
    BOOST_TEST(ended->state.exit().pid() == child.pid());
    BOOST_TEST(ended->state.exit().returncode() == 5);
    const auto after = next_state<Setup>(*watcher, loop, child.pid());
    BOOST_TEST((after->ec == error::not_a_child));
}

// It waits before it happens.
BOOST_AUTO_TEST_CASE_TEMPLATE(waited_for_before, Setup, state_setups)
{
    if (sees_none("child_watcher_states/waited_for_before"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    const pid_t pid = child_that_pauses();
    for (const int signal : {SIGSTOP, SIGCONT, SIGKILL})
    {
        const auto result = way.start(*watcher, loop, pid);
        loop.restart();
        loop.poll();
        ::kill(pid, signal);
        Setup::run(loop);
        way.finish();
        BOOST_TEST(!result->ec);
        BOOST_TEST(result->state.stopped() == (signal == SIGSTOP));
        BOOST_TEST(result->state.continued() == (signal == SIGCONT));
        BOOST_TEST(result->state.exit().term_signal() == (signal == SIGKILL ? SIGKILL : 0));
    }
}

// What happened before is told at once; of several changes the last.
BOOST_AUTO_TEST_CASE_TEMPLATE(what_happened_before, Setup, state_setups)
{
    if (sees_none("child_watcher_states/what_happened_before"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    const pid_t pid = child_that_pauses();
    ::kill(pid, SIGSTOP);
    until(pid, WSTOPPED);
    BOOST_TEST(next_state<Setup>(*watcher, loop, pid)->state.stopped());
    ::kill(pid, SIGCONT);
    until(pid, WCONTINUED);
    ::kill(pid, SIGSTOP);
    until(pid, WSTOPPED);
    ::kill(pid, SIGCONT);
    until(pid, WCONTINUED);
    BOOST_TEST(next_state<Setup>(*watcher, loop, pid)->state.continued());
    ::kill(pid, SIGSTOP);
    until(pid, WSTOPPED);
    ::kill(pid, SIGKILL);
    until_dead(pid);
    const auto ended = next_state<Setup>(*watcher, loop, pid);
    BOOST_TEST(ended->state.exit().term_signal() == SIGKILL);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(many_waits_for_one_child, Setup, state_setups)
{
    if (sees_none("child_watcher_states/many_waits_for_one_child"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    const auto first = Setup::make();
    const auto second = Setup::make();
    const auto third = make_watcher("multi_loop");
    const pid_t pid = child_that_pauses();
    typename Setup::way way;
    for (const int signal : {SIGSTOP, SIGCONT, SIGKILL})
    {
        std::vector<told_ptr> results;
        for (int i = 0; i < 3; ++i)
        {
            for (const auto& watcher : {first, second, third})
            {
                results.push_back(way.start(*watcher, loop, pid));
                results.push_back(way.start(*watcher, other, pid));
            }
        }
        for (asio::io_context* each : {&loop, &other})
        {
            each->restart();
            each->poll(); // a coroutine waits from then on
        }
        ::kill(pid, signal);
        std::thread thread([&] { Setup::run(other); });
        Setup::run(loop);
        thread.join();
        way.finish();
        for (const auto& result : results)
        {
            BOOST_TEST(result->calls == 1U);
            BOOST_TEST(!result->ec);
            BOOST_TEST(result->state.stopped() == (signal == SIGSTOP));
            BOOST_TEST(result->state.continued() == (signal == SIGCONT));
            BOOST_TEST(result->state.ended() == (signal == SIGKILL));
        }
    }
}

// A stop is no end, to any watcher.
BOOST_AUTO_TEST_CASE_TEMPLATE(waits_for_the_end_do_not_mind, Setup, state_setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    by_callback way;
    gated_child child(6);
    const auto end = way.start(*watcher, loop, child.pid());
    for (const int signal : {SIGSTOP, SIGCONT})
    {
        ::kill(child.pid(), signal);
        until(child.pid(), signal == SIGSTOP ? WSTOPPED : WCONTINUED);
        // The watcher has looked when it tells of another child.
        const auto mark = way.start(*watcher, loop, child_that_exits(1));
        loop.restart();
        while (mark->calls() == 0 && loop.run_one() > 0)
        {}
        BOOST_TEST(end->calls() == 0U);
    }
    child.let_go();
    Setup::run(loop);
    BOOST_TEST(is_true(*end, 6));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(both_kinds_of_waits, Setup, setups)
{
    if (sees_none("child_watcher_states/both_kinds_of_waits"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    const auto other = make_watcher("multi_loop");
    by_callback way;
    state_by_callback states;
    gated_child child(7);
    const auto end = way.start(*watcher, loop, child.pid());
    const auto others_end = way.start(*other, loop, child.pid());
    for (const int signal : {SIGSTOP, SIGCONT})
    {
        const auto state = states.start(*watcher, loop, child.pid());
        ::kill(child.pid(), signal);
        while (!state->has_ended() && loop.run_one() > 0)
        {}
        BOOST_TEST(state->state.stopped() == (signal == SIGSTOP));
        BOOST_TEST(state->state.continued() == (signal == SIGCONT));
        BOOST_TEST(end->calls() + others_end->calls() == 0U);
    }
    const auto last = states.start(*watcher, loop, child.pid());
    child.let_go();
    Setup::run(loop);
    BOOST_TEST(last->state.exit().returncode() == 7);
    BOOST_TEST(is_true(*end, 7));
    BOOST_TEST(is_true(*others_end, 7));
}
