// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_forks

#include <loops/backend.hpp>
#include <loops/policy.hpp>

#include "support/child_watchers.hpp"
#include "support/error_check.hpp"
#include "support/forked.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <thread>

using namespace test;
using loops::error;

// A fork amid waits: the child of the fork can do nothing with the watcher, the parent notices
// nothing.
BOOST_AUTO_TEST_CASE_TEMPLATE(forked, Setup, setups)
{
    if (loops::backend() == loops::backend_type::io_uring)
        return skipped("child_watcher_forks/forked",
            "Asio 1.81 loses the operations of a forked child with io_uring");
    const child_ledger ledger;
    asio::io_context loop;
    auto watcher = Setup::make();
    by_callback way;
    gated_child child(5);
    const auto result = way.start(*watcher, loop, child.pid());
    loop.poll();
    loop.notify_fork(asio::io_context::fork_prepare);
    const int code = in_forked_child([&] {
        loop.notify_fork(asio::io_context::fork_child);
        const recorder late;
        loops::error_code ec;
        watcher->async_wait(child.pid(), asio::bind_executor(loop.get_executor(), late));
        watcher->add_child_handler(child.pid(), late, ec);
        loop.restart();
        loop.run();
        int wrong = 0;
        wrong += result->ec() == error::forked ? 0 : 1;
        wrong += late.result->ec() == error::forked ? 0 : 2;
        wrong += ec == error::forked ? 0 : 4;
        wrong += watcher->is_active() ? 8 : 0;
        try
        {
            watcher->attach_loop(loop);
            wrong += 16;
        }
        catch (const loops::system_error& e)
        {
            wrong += e.code() == error::forked ? 0 : 16;
        }
        watcher->remove_child_handler(child.pid());
        watcher.reset();
        // A watcher of the new process works, on the same loop.
        const auto fresh = Setup::make();
        const recorder record;
        const pid_t grandchild = ::fork();
        if (grandchild == 0)
            ::_exit(3);
        fresh->async_wait(grandchild, asio::bind_executor(loop.get_executor(), record));
        loop.restart();
        loop.run();
        wrong += record.result->exit().returncode() == 3 ? 0 : 32;
        return wrong;
    });
    loop.notify_fork(asio::io_context::fork_parent);
    BOOST_TEST(code == 0);
    BOOST_TEST(result->calls() == 0U);
    child.let_go();
    Setup::run(loop);
    BOOST_TEST(result->exit().returncode() == 5);
}

// The same where the child of the fork does not tell the loop, and destroys everything.
BOOST_AUTO_TEST_CASE_TEMPLATE(forked_and_destroyed, Setup, setups)
{
    if (loops::backend() == loops::backend_type::io_uring)
        return skipped("child_watcher_forks/forked_and_destroyed",
            "Asio 1.81 shares the ring with a forked child, which cancels the parent's operations");
    const child_ledger ledger;
    auto loop = std::make_unique<asio::io_context>();
    auto watcher = Setup::make();
    gated_child child(5);
    const recorder record;
    watcher->attach_loop(*loop);
    watcher->async_wait(child.pid(), record);
    watcher->add_child_handler(child.pid(), record);
    loop->poll();
    for (const bool watcher_first : {true, false})
    {
        const int code = in_forked_child([&] {
            if (watcher_first)
                watcher.reset();
            loop.reset();
            watcher.reset();
            return static_cast<int>(record.result->calls());
        });
        BOOST_TEST(code == 0);
    }
    child.let_go();
    Setup::run(*loop);
    BOOST_TEST(record.result->calls() == 2U);
    BOOST_TEST(record.result->exit().returncode() == 5);
}

// The loop is not told, and holds what the parent waits for: the refusal arrives all the same.
BOOST_AUTO_TEST_CASE_TEMPLATE(forked_and_not_told, Setup, setups)
{
    if (watcher_name() == "multi_loop")
        return skipped("child_watcher_forks/forked_and_not_told",
            "a forked child that runs a loop untold takes the expiries of Asio's timers from the "
            "parent");
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    by_callback way;
    gated_child child(5);
    const auto result = way.start(*watcher, loop, child.pid());
    loop.poll();
    const int code = in_forked_child([&] {
        ::alarm(60);
        const auto refused = way.start(*watcher, loop, child.pid());
        loop.restart();
        while (refused->calls() == 0 && loop.run_one() > 0)
        {}
        return (refused->ec() == error::forked ? 0 : 1) + static_cast<int>(result->calls());
    });
    BOOST_TEST(code == 0);
    child.let_go();
    Setup::run(loop);
    BOOST_TEST(result->exit().returncode() == 5);
}

// The threads that serve what has no loop are the parent's.
BOOST_AUTO_TEST_CASE_TEMPLATE(forked_without_a_loop, Setup, setups)
{
    warm_up_background();
    const child_ledger ledger;
    const auto watcher = Setup::make();
    gated_child child(5);
    const int code = in_forked_child([&] {
        ::alarm(60);
        auto refused = watcher->async_wait(child.pid(), asio::use_future);
        if (error_of([&] { refused.get(); }) != error::forked)
            return 1;
        const auto fresh = Setup::make();
        if (fresh->async_wait(child_that_exits(6), asio::use_future).get().returncode() != 6)
            return 2;
        auto none = fresh->async_wait(child.pid(), asio::use_future);
        return error_of([&] { none.get(); }) == error::not_a_child ? 0 : 3;
    });
    BOOST_TEST(code == 0);
    child.reap();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(handlers_in_a_forked_child, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    gated_child child(5);
    const recorder record;
    watcher->add_child_handler(child.pid(), record);
    loop.poll();
    const int code = in_forked_child([&] {
        ::alarm(60);
        loops::error_code ec;
        watcher->add_child_handler(child.pid(), recorder(), ec);
        if (ec != error::forked)
            return 1;
        watcher->attach_loop(nullptr, ec);
        if (ec != error::forked || watcher->is_active())
            return 2;
        return watcher->remove_child_handler(child.pid()) ? 0 : 3;
    });
    BOOST_TEST(code == 0);
    child.let_go();
    Setup::run(loop);
    BOOST_TEST(record.result->exit().returncode() == 5);
}

BOOST_AUTO_TEST_CASE(the_watcher_of_a_policy_in_a_forked_child)
{
    const child_ledger ledger;
    const auto watcher = loops::get_child_watcher();
    BOOST_TEST(watcher->is_active());
    const int code = in_forked_child([&] {
        ::alarm(60);
        const auto other = loops::get_child_watcher();
        if (other == watcher || !other->is_active() || other != loops::get_child_watcher())
            return 1;
        asio::io_context loop;
        const recorder record;
        other->async_wait(child_that_exits(4), asio::bind_executor(loop.get_executor(), record));
        loop.run();
        return record.result->exit().returncode() == 4 ? 0 : 2;
    });
    BOOST_TEST(code == 0);
    BOOST_TEST(watcher->is_active());
    loops::set_child_watcher(nullptr);
}

// One thread forks, and its children wait for children of their own, while others register and wait.
BOOST_AUTO_TEST_CASE_TEMPLATE(fork_while_others_wait, Setup, setups)
{
    if (no_fork_beside_busy_threads("child_watcher_forks/fork_while_others_wait"))
        return;
    const child_ledger ledger;
    asio::io_context loop;
    auto work = asio::make_work_guard(loop);
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    std::atomic<std::size_t> started{0};
    std::atomic<std::size_t> ended{0};
    std::atomic<bool> stop{false};
    std::thread runner([&] { Setup::run(loop); });
    std::thread registering([&] {
        while (!stop)
        {
            const pid_t pid = child_that_exits(0);
            ++started;
            watcher->async_wait(
                pid, [&](loops::error_code ec, const auto&) { ended += ec ? 0 : 1; });
        }
    });
    std::vector<int> bad;
    for (std::size_t round = 0; round < rounds(30); ++round)
    {
        const int code = in_forked_child([] {
            ::alarm(60);
            asio::io_context own;
            const auto fresh = Setup::make();
            by_callback way;
            const auto result = way.start(*fresh, own, child_that_exits(3));
            own.run();
            return result->ec() ? result->ec().value() : result->exit().returncode() - 3;
        });
        if (code != 0)
            bad.push_back(code);
    }
    stop = true;
    registering.join();
    work.reset();
    runner.join();
    BOOST_TEST(bad == std::vector<int>(), boost::test_tools::per_element());
    BOOST_TEST(ended == started);
}
