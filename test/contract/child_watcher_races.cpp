// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_races

#include "support/child_outcomes.hpp"
#include "support/child_watchers.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"
#include "support/log_capture.hpp"
#include "support/race.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>

using namespace test;
using loops::error;

// What happens to a wait while its child ends: whichever comes first, the wait ends once, and the
// exit is nobody's or somebody's.

BOOST_AUTO_TEST_CASE_TEMPLATE(cancelled, Setup, setups)
{
    const child_ledger ledger;
    const auto watcher = Setup::make();
    running_loop<Setup> running;
    for (std::size_t round = 0; round < race_rounds(); ++round)
    {
        gated_child child(3);
        const auto strand = asio::make_strand(running.loop);
        const auto signal = std::make_shared<asio::cancellation_signal>();
        const recorder record;
        latch started;
        asio::post(strand, [&] {
            watcher->async_wait(child.pid(),
                asio::bind_cancellation_slot(signal->slot(), asio::bind_executor(strand, record)));
            started.count_down();
        });
        BOOST_REQUIRE(started.wait());
        at_a_time({[&] { child.let_go(); },
            [&] {
                asio::post(strand, [signal] { signal->emit(asio::cancellation_type::total); });
            }});
        BOOST_REQUIRE(eventually([&] { return record.result->calls() > 0; }));
        by_callback way;
        const auto after = way.start(*watcher, running.loop, child.pid());
        BOOST_REQUIRE(eventually([&] { return after->calls() > 0; }));
        if (record.result->ec() == asio::error::operation_aborted)
            BOOST_TEST(is_true(*after, 3));
        else
        {
            BOOST_TEST(is_true(*record.result, 3));
            BOOST_TEST((after->ec() == error::not_a_child));
        }
        BOOST_TEST(record.result->calls() == 1U);
    }
}

// Of all handlers of a child one gets the exit, or it is there for the next registration.
BOOST_AUTO_TEST_CASE_TEMPLATE(handlers_added_replaced_and_removed, Setup, setups)
{
    const child_ledger ledger;
    const auto watcher = Setup::make();
    running_loop<Setup> running;
    watcher->attach_loop(running.loop);
    for (std::size_t round = 0; round < race_rounds(); ++round)
    {
        gated_child child(5);
        std::vector<registration> all(6);
        std::atomic<std::size_t> removed{0};
        const auto add = [&](std::size_t first) {
            for (std::size_t i = first; i < first + 3; ++i)
                watcher->add_child_handler(child.pid(), all[i].handler());
        };
        at_a_time({[&] { add(0); }, [&] { add(3); }, [&] { child.let_go(); },
            [&] {
                for (int i = 0; i < 3; ++i)
                    removed += watcher->remove_child_handler(child.pid()) ? 1 : 0;
            }});
        until_dead(child.pid());
        BOOST_REQUIRE(eventually([&] { return all_ended(all); }));
        BOOST_TEST(!watcher->remove_child_handler(child.pid()));
        std::size_t got = 0;
        std::size_t uncalled = 0;
        for (const registration& each : all)
        {
            BOOST_TEST(each.result().calls() <= 1U);
            if (!each.was_called())
                ++uncalled;
            else if (is_true(each.result(), 5))
                ++got;
            else
                BOOST_TEST((each.result().ec() == error::not_a_child), each.result().ec());
        }
        BOOST_TEST(removed <= uncalled);
        BOOST_TEST(got <= 1U);
        by_callback way;
        const auto after = way.start(*watcher, running.loop, child.pid());
        BOOST_REQUIRE(eventually([&] { return after->calls() > 0; }));
        if (got == 0)
            BOOST_TEST(is_true(*after, 5), after->ec());
        else
            BOOST_TEST((after->ec() == error::not_a_child));
    }
}

// Dead before it is registered: by four threads, one child of all and one of its own each.
BOOST_AUTO_TEST_CASE_TEMPLATE(dead_before, Setup, setups)
{
    const child_ledger ledger;
    const auto watcher = Setup::make();
    running_loop<Setup> running;
    for (std::size_t round = 0; round < race_rounds(); ++round)
    {
        const pid_t shared = child_that_exits(9);
        until_dead(shared);
        std::vector<outcome_ptr> of_shared(4);
        std::vector<outcome_ptr> of_own(4);
        std::vector<std::function<void()>> threads;
        for (std::size_t i = 0; i < 4; ++i)
        {
            const pid_t own = child_that_exits(static_cast<int>(i));
            until_dead(own);
            threads.emplace_back([&, i, own] {
                by_callback way;
                of_shared[i] = way.start(*watcher, running.loop, shared);
                of_own[i] = way.start(*watcher, running.loop, own);
            });
        }
        at_a_time(threads);
        std::size_t got = 0;
        for (std::size_t i = 0; i < 4; ++i)
        {
            BOOST_REQUIRE(
                eventually([&] { return of_own[i]->calls() == 1 && of_shared[i]->calls() == 1; }));
            BOOST_TEST(is_true(*of_own[i], static_cast<int>(i)), of_own[i]->ec());
            if (is_true(*of_shared[i], 9))
                ++got;
            else
                BOOST_TEST((of_shared[i]->ec() == error::not_a_child), of_shared[i]->ec());
        }
        BOOST_TEST(got > 0U);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(detached_and_attached, Setup, setups)
{
    const child_ledger ledger;
    const log_capture log;
    const auto watcher = Setup::make();
    running_loop<Setup> first;
    running_loop<Setup> second;
    watcher->attach_loop(first.loop);
    for (std::size_t round = 0; round < race_rounds(); ++round)
    {
        std::vector<gated_child> children;
        std::vector<recorder> records;
        const auto start = [&](int code) {
            children.emplace_back(code);
            records.emplace_back();
            if (code % 2 == 0)
                watcher->async_wait(children.back().pid(), records.back());
            else
                watcher->add_child_handler(children.back().pid(), records.back());
        };
        for (int i = 0; i < 3; ++i)
            start(i);
        watcher->attach_loop(nullptr);
        for (int i = 3; i < 6; ++i)
            start(i);
        at_a_time({[&] { watcher->attach_loop(round % 2 == 0 ? second.loop : first.loop); },
            [&] {
                for (gated_child& child : children)
                    child.let_go();
            }});
        for (std::size_t i = 0; i < records.size(); ++i)
        {
            BOOST_REQUIRE(eventually([&] { return records[i].result->calls() > 0; }));
            BOOST_TEST(is_true(*records[i].result, static_cast<int>(i)));
        }
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(closed, Setup, setups)
{
    const child_ledger ledger;
    running_loop<Setup> running;
    for (std::size_t round = 0; round < race_rounds(); ++round)
    {
        const auto watcher = Setup::make();
        watcher->attach_loop(running.loop);
        gated_child child(5);
        std::vector<registration> all(3);
        for (registration& each : all)
            watcher->async_wait(child.pid(), each.handler());
        registration added;
        watcher->add_child_handler(child.pid(), added.handler());
        all.push_back(added);
        at_a_time({[&] { child.let_go(); }, [&] { watcher->close(); }});
        added = registration();
        BOOST_REQUIRE(eventually([&] { return all_ended(all); }));
        std::size_t got = 0;
        for (const registration& each : all)
        {
            BOOST_TEST(each.result().calls() == 1U);
            if (is_true(each.result(), 5))
                ++got;
            else
                BOOST_TEST((each.result().ec() == asio::error::operation_aborted));
        }
        // Reaped for those that were told, or still there.
        int status = -1;
        const pid_t left = ::waitpid(child.pid(), &status, 0);
        if (got > 0)
            BOOST_TEST(left == -1);
        else
            BOOST_TEST((left == child.pid() && status == 5 << 8));
    }
}

// A loop that is stopped, restarted and destroyed, with waits for children that end meanwhile.
BOOST_AUTO_TEST_CASE_TEMPLATE(loops_that_go, Setup, setups)
{
    const child_ledger ledger;
    const auto watcher = Setup::make();
    running_loop<Setup> running;
    for (std::size_t round = 0; round < race_rounds(); ++round)
    {
        std::vector<gated_child> children;
        std::vector<outcome_ptr> results;
        std::vector<registration> all;
        by_callback way;
        auto loop = std::make_unique<asio::io_context>();
        for (int i = 0; i < 3; ++i)
        {
            children.emplace_back(i);
            const pid_t pid = children.back().pid();
            results.push_back(way.start(*watcher, running.loop, pid));
            all.resize(all.size() + 2);
            watcher->async_wait(
                pid, asio::bind_executor(loop->get_executor(), all.end()[-1].handler()));
            watcher->add_child_handler(
                pid, asio::bind_executor(loop->get_executor(), all.end()[-2].handler()));
        }
        std::vector<std::thread> runners;
        for (int i = 0; i < 2; ++i)
            runners.emplace_back([&] { loop->run(); });
        at_a_time({[&] { children[0].let_go(); }, [&] { loop->stop(); }});
        for (std::thread& runner : runners)
            runner.join();
        children[1].let_go();
        loop->restart();
        loop->poll();
        at_a_time({[&] { loop.reset(); }, [&] { children[2].let_go(); }});
        for (int i = 0; i < 3; ++i)
        {
            const auto& result = results[static_cast<std::size_t>(i)];
            BOOST_REQUIRE(eventually([&] { return result->calls() > 0; }));
            BOOST_TEST(is_true(*result, i));
        }
        for (std::size_t i = 0; i < all.size(); ++i)
        {
            BOOST_TEST(all[i].has_ended());
            BOOST_TEST(all[i].result().calls() <= 1U);
            if (all[i].was_called())
                BOOST_TEST(is_true(all[i].result(), static_cast<int>(i / 2)));
        }
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(forks_in_the_middle, Setup, setups)
{
    if (no_threads_in_child("child_watcher_races/forks_in_the_middle") ||
        no_fork_beside_busy_threads("child_watcher_races/forks_in_the_middle"))
        return;
    const child_ledger ledger;
    const auto watcher = Setup::make();
    running_loop<Setup> running;
    std::atomic<bool> over{false};
    std::size_t wrong = 0;
    std::size_t waits = 0;
    std::thread waiting([&] {
        by_callback way;
        for (; !over; ++waits)
        {
            gated_child child(static_cast<int>(waits % 100));
            const auto first = way.start(*watcher, running.loop, child.pid());
            child.let_go();
            const auto second = way.start(*watcher, running.loop, child.pid());
            const bool ended = eventually([&] { return first->calls() + second->calls() == 2; });
            wrong += ended && is_true(*first, static_cast<int>(waits % 100)) ? 0U : 1U;
        }
    });
    for (std::size_t round = 0; round < race_rounds(10); ++round)
    {
        const int code = in_forked_child([&] {
            ::alarm(60);
            const auto fresh = Setup::make();
            asio::io_context own;
            by_callback way;
            const auto result = way.start(*fresh, own, child_that_exits(6));
            test::run(own, 1);
            return is_true(*result, 6) && !watcher->is_active() ? 0 : 1;
        });
        BOOST_TEST(code == 0, code);
    }
    over = true;
    waiting.join();
    BOOST_TEST(wrong == 0U);
    BOOST_TEST(waits > 0U);
}
