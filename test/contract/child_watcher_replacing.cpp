// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_replacing

#include <loops/event_loop.hpp>

#include "support/child_watchers.hpp"
#include "support/error_check.hpp"
#include "support/handler_calls.hpp"
#include "support/latch.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <string>

using namespace test;
using loops::error;

// Handlers that are removed or replaced, and where their exits go.

namespace {

// A pool whose one thread does nothing until it is let go: what it is given stays in its queue.
class held_pool
{
public:
    held_pool()
    {
        asio::post(pool_, [this] { gate_.wait(); });
    }
    ~held_pool() { let_go(); }

    auto executor() { return pool_.get_executor(); }

    void let_go()
    {
        gate_.count_down();
        pool_.join();
    }

private:
    latch gate_;
    asio::thread_pool pool_{1};
};

// The exit of a child, reaped by another wait; the end of what else waits for it is on its way.
template <class Setup>
void end_and_reap(loops::child_watcher& watcher, gated_child& child)
{
    asio::io_context loop;
    by_callback way;
    const auto reaping = way.start(watcher, loop, child.pid());
    child.let_go();
    Setup::run(loop);
    BOOST_REQUIRE(!reaping->ec());
}

template <class Setup>
outcome_ptr wait_now(loops::child_watcher& watcher, pid_t pid)
{
    asio::io_context loop;
    by_callback way;
    const auto result = way.start(watcher, loop, pid);
    Setup::run(loop);
    return result;
}

// Has what was ended delivered as far as its executor's queue: the threads of the library do so in
// the order in which it ended. It takes a child that was started before the one that was reaped ended: a later
// one could get its number, where tests of another program choose numbers at the same time.
template <class Setup>
void until_handed_over(loops::child_watcher& watcher, pid_t started_before)
{
    watcher.async_wait(started_before, asio::use_future).get();
}

} // namespace

// The exit is reaped and queued when the handler goes: it is kept for the next registration.
BOOST_AUTO_TEST_CASE_TEMPLATE(removed_when_it_is_queued_already, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    const auto watcher = Setup::make();
    handler_calls called;
    gated_child child(4);
    const recorder reaping;
    watcher->add_child_handler(
        child.pid(), asio::bind_executor(other.get_executor(), called.handler()));
    watcher->async_wait(child.pid(), asio::bind_executor(loop.get_executor(), reaping));
    child.let_go();
    Setup::run(loop); // reaps, and queues the handler on the other loop
    BOOST_TEST(reaping.result->exit().returncode() == 4);
    BOOST_TEST(watcher->remove_child_handler(child.pid()));
    Setup::run(other);
    BOOST_TEST(called.codes.empty());

    const recorder late;
    watcher->async_wait(child.pid(), asio::bind_executor(loop.get_executor(), late));
    Setup::run(loop);
    BOOST_TEST(!late.result->ec());
    BOOST_TEST(late.result->exit().returncode() == 4);
    const recorder too_late;
    watcher->async_wait(child.pid(), asio::bind_executor(loop.get_executor(), too_late));
    Setup::run(loop);
    BOOST_TEST((too_late.result->ec() == error::not_a_child));
}

// It left the watcher and waits in a pool's queue: removing it works even then.
BOOST_AUTO_TEST_CASE_TEMPLATE(removed_when_it_waits_in_a_pool, Setup, setups)
{
    warm_up_background();
    const child_ledger ledger;
    const auto watcher = Setup::make();
    held_pool pool;
    handler_calls called;
    gated_child child(4);
    watcher->add_child_handler(child.pid(), asio::bind_executor(pool.executor(), called.handler()));
    const pid_t before = child_that_exits(0);
    end_and_reap<Setup>(*watcher, child);
    until_handed_over<Setup>(*watcher, before);
    BOOST_TEST(watcher->remove_child_handler(child.pid()));
    const auto next = wait_now<Setup>(*watcher, child.pid());
    BOOST_TEST(!next->ec());
    BOOST_TEST(next->exit().returncode() == 4);
    pool.let_go();
    BOOST_TEST(called.codes.empty());
    BOOST_TEST((wait_now<Setup>(*watcher, child.pid())->ec() == error::not_a_child));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(replaced_when_it_is_queued_already, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context other;
    const auto watcher = Setup::make();
    handler_calls first;
    handler_calls second;
    gated_child child(4);
    watcher->add_child_handler(
        child.pid(), asio::bind_executor(other.get_executor(), first.handler()));
    end_and_reap<Setup>(*watcher, child);
    watcher->add_child_handler(
        child.pid(), asio::bind_executor(other.get_executor(), second.handler()));
    Setup::run(other);
    BOOST_TEST(first.codes.empty());
    BOOST_TEST(second.codes[child.pid()] == std::vector<int>{4});
    BOOST_TEST((wait_now<Setup>(*watcher, child.pid())->ec() == error::not_a_child));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(replaced_when_it_waits_in_a_pool, Setup, setups)
{
    warm_up_background();
    const child_ledger ledger;
    const auto watcher = Setup::make();
    held_pool pool;
    handler_calls first;
    handler_calls second;
    gated_child child(4);
    watcher->add_child_handler(child.pid(), asio::bind_executor(pool.executor(), first.handler()));
    const pid_t before = child_that_exits(0);
    end_and_reap<Setup>(*watcher, child);
    until_handed_over<Setup>(*watcher, before);
    watcher->add_child_handler(child.pid(), asio::bind_executor(pool.executor(), second.handler()));
    pool.let_go();
    BOOST_TEST(first.codes.empty());
    BOOST_TEST(second.codes[child.pid()] == std::vector<int>{4});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handler_takes_a_kept_exit, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context other;
    const auto watcher = Setup::make();
    handler_calls called;
    gated_child child(4);
    watcher->add_child_handler(
        child.pid(), asio::bind_executor(other.get_executor(), called.handler()));
    end_and_reap<Setup>(*watcher, child);
    BOOST_TEST(watcher->remove_child_handler(child.pid()));
    watcher->add_child_handler(
        child.pid(), asio::bind_executor(other.get_executor(), called.handler()));
    Setup::run(other);
    BOOST_TEST(called.codes[child.pid()] == std::vector<int>{4});
}

// What was kept, or is still on its way, of the first child of a number is not the second one's.
BOOST_AUTO_TEST_CASE_TEMPLATE(the_number_goes_to_another_child, Setup, setups)
{
    warm_up_background();
    const child_ledger ledger;
    for (const bool removed_before : {true, false})
    {
        const auto watcher = Setup::make();
        held_pool pool;
        handler_calls called;
        gated_child child(4);
        const pid_t number = child.pid();
        watcher->add_child_handler(number, asio::bind_executor(pool.executor(), called.handler()));
        const pid_t before = child_that_exits(0);
        end_and_reap<Setup>(*watcher, child);
        until_handed_over<Setup>(*watcher, before);
        if (removed_before)
            BOOST_TEST(watcher->remove_child_handler(number));
        const auto second = child_with_number(number, [] { return 9; });
        if (!second)
            return skipped("child_watcher_replacing/the_number_goes_to_another_child",
                "ns_last_pid cannot be written here");
        BOOST_TEST(wait_now<Setup>(*watcher, number)->exit().returncode() == 9);
        if (!removed_before)
            BOOST_TEST(watcher->remove_child_handler(number));
        pool.let_go();
        BOOST_TEST((wait_now<Setup>(*watcher, number)->ec() == error::not_a_child));
        BOOST_TEST(called.codes.empty());
    }
}

// A wait for the first child of a number is there, unserved, when the number is waited for anew.
BOOST_AUTO_TEST_CASE_TEMPLATE(the_number_is_reused_under_a_wait, Setup, setups)
{
    if (nobody_else_reaps("child_watcher_replacing/the_number_is_reused_under_a_wait"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    by_callback way;
    gated_child child(4);
    const auto first = way.start(*watcher, loop, child.pid());
    const int taken = child.reap();
    const auto second = child_with_number(child.pid(), [] { return 9; });
    if (!second)
        return skipped("child_watcher_replacing/the_number_is_reused_under_a_wait",
            "ns_last_pid cannot be written here");
    const auto after = way.start(*watcher, loop, *second);
    Setup::run(loop);
    BOOST_TEST(told_of_somebody_else(*first, taken, 4));
    BOOST_TEST(after->exit().returncode() == 9);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_refused_replacement_changes_nothing, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    handler_calls called;
    handler_calls refused;
    gated_child child(2);
    watcher->add_child_handler(child.pid(), called.handler());
    loops::event_loop closed;
    const auto nowhere = closed.get_executor();
    closed.close();
    loops::error_code ec;
    watcher->add_child_handler(child.pid(), asio::bind_executor(nowhere, refused.handler()), ec);
    BOOST_TEST((ec == error::loop_closed));
    check_error(
        [&] {
            watcher->add_child_handler(
                child.pid(), asio::bind_executor(nowhere, refused.handler()));
        },
        error::loop_closed, std::to_string(child.pid()));
    child.let_go();
    Setup::run(loop);
    BOOST_TEST(called.codes[child.pid()] == std::vector<int>{2});
    BOOST_TEST(refused.codes.empty());
}

// One of the two is left, whichever, and it is the one that is removed.
BOOST_AUTO_TEST_CASE_TEMPLATE(two_threads_add_for_one_child, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    gated_child child(3);
    const std::size_t all = rounds(2000);
    std::atomic<std::size_t> there{0};
    std::array<std::weak_ptr<int>, 2> alive;
    const auto add = [&](std::size_t which, std::size_t round) {
        tells_its_end handler;
        alive[which] = handler.alive;
        ++there;
        while (there < 2 * round + 2)
            std::this_thread::yield();
        watcher->add_child_handler(child.pid(), std::move(handler));
    };
    std::size_t wrong = 0;
    for (std::size_t round = 0; round < all; ++round)
    {
        std::thread other([&] { add(1, round); });
        add(0, round);
        other.join();
        const bool one = alive[0].expired() != alive[1].expired();
        const bool removed = watcher->remove_child_handler(child.pid());
        wrong += one && removed && alive[0].expired() && alive[1].expired() ? 0U : 1U;
    }
    BOOST_TEST(wrong == 0U);
    child.reap();
}

// Threads that add, replace and remove while children end: each handler runs once or was removed.
BOOST_AUTO_TEST_CASE_TEMPLATE(add_and_remove_at_a_time, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    for (std::size_t round = 0; round < rounds(30); ++round)
    {
        gated_child child(1);
        std::atomic<int> runs{0};
        std::atomic<int> removals{0};
        const auto handler = [&](pid_t, int) { ++runs; };
        watcher->add_child_handler(child.pid(), handler);
        std::thread remover(
            [&] { removals += watcher->remove_child_handler(child.pid()) ? 1 : 0; });
        child.let_go();
        Setup::run(loop);
        remover.join();
        BOOST_TEST(runs + removals == 1);
        if (removals == 1)
        {
            const recorder late; // the status is still to be had, from the kernel or kept
            watcher->async_wait(child.pid(), late);
            Setup::run(loop);
            BOOST_TEST(late.result->exit().returncode() == 1);
        }
    }
}
