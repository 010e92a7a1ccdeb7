// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE signal_taken_away

#include <loops/log.hpp>

#include "support/child_outcomes.hpp"
#include "support/child_watchers.hpp"
#include "support/disposition.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"
#include "support/log_capture.hpp"
#include "support/process_load.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <string>
#include <string_view>

using namespace test;

// SIGCHLD is taken from a watcher that needs it: that is said, and children are noticed all the
// same.

namespace {

using both = std::tuple<loops::safe_child_watcher, loops::fast_child_watcher>;

std::atomic<int> calls{0};
signal_action next_one = {};

void over(int)
{
    ++calls;
}

// As a well-behaved one does.
void chaining(int signal, siginfo_t* information, void* context)
{
    ++calls;
    if ((next_one.sa_flags & SA_SIGINFO) != 0)
        next_one.sa_sigaction(signal, information, context);
}

const signal_action chaining_action = disposition::action(chaining, SA_RESTART);

std::size_t count(const std::string& text, std::string_view word)
{
    std::size_t found = 0;
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
        ++found;
    return found;
}

outcome_ptr wait_for(loops::child_watcher& watcher, asio::io_context& loop, int code)
{
    by_callback way;
    const auto result = way.start(watcher, loop, child_that_exits(code));
    run_in_time(loop);
    return result;
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handler_over_it, Watcher, both)
{
    const child_ledger ledger;
    const disposition put_back(SIG_DFL, 0);
    for (void (*const theirs)(int) : {over, static_cast<void (*)(int)>(SIG_DFL)})
    {
        asio::io_context loop;
        Watcher watcher;
        watcher.attach_loop(loop);
        BOOST_TEST(is_true(*wait_for(watcher, loop, 1), 1));
        const log_capture log;
        calls = 0;
        const disposition installed(theirs, SA_RESTART);
        const signal_action stays = child_signal_now();
        for (int i = 0; i < 5; ++i)
            BOOST_TEST(is_true(*wait_for(watcher, loop, i), i));
        BOOST_TEST(eventually([&] { return count(log.said(), "SIGCHLD") > 0; }));
        BOOST_TEST(is_same(child_signal_now(), stays));
        watcher.close();
        BOOST_TEST(is_same(child_signal_now(), stays));
        BOOST_TEST(count(log.said(), "SIGCHLD") == 1U, log.said());
        BOOST_TEST((calls > 0) == (theirs == over));
    }
}

// While a child lives: nothing comes that would tell.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_handler_over_it_while_a_child_lives, Watcher, both)
{
    const child_ledger ledger;
    const disposition put_back(SIG_DFL, 0);
    const log_capture log;
    asio::io_context loop;
    Watcher watcher;
    watcher.attach_loop(loop);
    gated_child child(4);
    by_callback way;
    const auto result = way.start(watcher, loop, child.pid());
    loop.poll();
    const disposition installed(over);
    BOOST_TEST(eventually([&] { return count(log.said(), "SIGCHLD") > 0; }));
    child.let_go();
    run_in_time(loop);
    BOOST_TEST(is_true(*result, 4));
}

// A handler over ours that calls it keeps the watcher going; and may do so when it is closed.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_handler_that_calls_ours, Watcher, both)
{
    const child_ledger ledger;
    const log_capture log; // whatever is said of it
    const disposition put_back(SIG_DFL, 0);
    asio::io_context loop;
    Watcher watcher;
    watcher.attach_loop(loop);
    next_one = child_signal_now();
    const disposition installed(chaining);
    const signal_action stays = child_signal_now();
    calls = 0;
    for (int i = 0; i < 5; ++i)
        BOOST_TEST(is_true(*wait_for(watcher, loop, i), i));
    BOOST_TEST(calls > 0);
    watcher.close();
    BOOST_TEST(is_same(child_signal_now(), stays));
    calls = 0;
    ::raise(SIGCHLD);
    BOOST_TEST(calls == 1);
}

// The same when the signal is taken anew: each handler has the other one to call.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_handler_that_calls_ours_below_ours, Watcher, both)
{
    const child_ledger ledger;
    const int code = in_forked_child([] {
        ::alarm(60);
        const log_capture log;
        asio::io_context loop;
        Watcher first;
        first.attach_loop(loop);
        next_one = child_signal_now();
        ::sigaction(SIGCHLD, &chaining_action, nullptr);
        first.close();
        Watcher second;
        second.attach_loop(loop);
        calls = 0;
        ::raise(SIGCHLD);
        if (calls != 1)
            return 1;
        if (!is_true(*wait_for(second, loop, 6), 6))
            return 2;
        second.close();
        return is_same(child_signal_now(), chaining_action) ? 0 : 3;
    });
    BOOST_TEST(code == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(ignored_or_statuses_discarded, Watcher, both)
{
    const child_ledger ledger;
    const disposition put_back(SIG_DFL, 0);
    for (const signal_action& theirs : {disposition::action(SIG_IGN, 0),
             disposition::action(SIG_DFL, SA_NOCLDWAIT), disposition::action(over, SA_NOCLDWAIT)})
    {
        asio::io_context loop;
        Watcher watcher;
        watcher.attach_loop(loop);
        gated_child child(3);
        by_callback way;
        const auto result = way.start(watcher, loop, child.pid());
        loop.poll();
        const log_capture log;
        const disposition installed(theirs);
        const signal_action stays = child_signal_now();
        child.let_go();
        run_in_time(loop);
        BOOST_TEST(is_true_or_lost(*result, 3), result->ec());
        BOOST_TEST(eventually([&] { return count(log.said(), "SIGCHLD") > 0; }));
        watcher.close();
        BOOST_TEST(is_same(child_signal_now(), stays));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(ignored_from_before, Watcher, both)
{
    const child_ledger ledger;
    for (const signal_action& before :
        {disposition::action(SIG_IGN, 0), disposition::action(SIG_DFL, SA_NOCLDWAIT),
            disposition::action(over, SA_RESTART | SA_NOCLDWAIT)})
    {
        const disposition own(before);
        const signal_action as_it_was = child_signal_now();
        const log_capture log;
        asio::io_context loop;
        Watcher watcher;
        watcher.attach_loop(loop);
        BOOST_TEST(eventually([&] { return count(log.said(), "SIGCHLD") > 0; }));
        BOOST_TEST(is_true(*wait_for(watcher, loop, 2), 2));
        watcher.close();
        BOOST_TEST(is_same(child_signal_now(), as_it_was));
        BOOST_TEST(count(log.said(), "SIGCHLD") == 1U, log.said());
    }
}

// Closed while somebody else's handler stands there, and taken anew.
BOOST_AUTO_TEST_CASE_TEMPLATE(taken_again_after_that, Watcher, both)
{
    const child_ledger ledger;
    const log_capture log;
    const disposition put_back(SIG_DFL, 0);
    asio::io_context loop;
    {
        Watcher watcher;
        watcher.attach_loop(loop);
        ::signal(SIGCHLD, over); // NOLINT: as old programs do
    }
    const signal_action theirs = child_signal_now();
    BOOST_TEST((theirs.sa_handler == over));
    calls = 0;
    Watcher watcher;
    watcher.attach_loop(loop);
    BOOST_TEST(is_true(*wait_for(watcher, loop, 2), 2));
    BOOST_TEST(eventually([] { return calls > 0; }));
    watcher.close();
    BOOST_TEST(is_same(child_signal_now(), theirs));
}

// Closed while the log hook, which is the application's, takes its time.
BOOST_AUTO_TEST_CASE_TEMPLATE(closed_while_it_is_said, Watcher, both)
{
    const child_ledger ledger;
    const int code = in_forked_child([] {
        ::alarm(60);
        const auto threads = count_threads();
        std::atomic<bool> inside{false};
        latch leave;
        loops::set_log_hook([&](std::string_view) {
            if (!inside.exchange(true))
                leave.wait();
        });
        const disposition own(SIG_IGN, 0);
        asio::io_context loop;
        {
            Watcher first;
            first.attach_loop(loop);
            if (!eventually([&] { return inside.load(); }))
                return 1;
        }
        {
            const Watcher nothing_to_end;
        }
        {
            Watcher second;
            second.attach_loop(loop);
            if (!is_true(*wait_for(second, loop, 3), 3))
                return 2;
        }
        leave.count_down();
        return eventually([&] { return count_threads() <= threads; }) ? 0 : 3;
    });
    BOOST_TEST(code == 0);
}
