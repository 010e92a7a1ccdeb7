// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_loops

#include <loops/event_loop.hpp>
#include <loops/policy.hpp>

#include "support/child_watchers.hpp"
#include "support/error_check.hpp"
#include "support/latch.hpp"
#include "support/log_capture.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <string>

using namespace test;
using loops::error;

BOOST_AUTO_TEST_CASE_TEMPLATE(which_loop_delivers, Setup, setups)
{
    if (is_not_without_attachment("child_watcher_loops/which_loop_delivers"))
        return;
    const child_ledger ledger;
    loops::event_loop running;
    loops::event_loop attached;
    const auto watcher = Setup::make();
    std::atomic<asio::io_context*> on{nullptr};
    const auto where = [&](loops::error_code, const auto&) { on = loops::try_get_running_loop(); };

    asio::post(running, [&] { watcher->async_wait(child_that_exits(0), where); });
    Setup::run(running);
    BOOST_TEST(on == &running);

    watcher->attach_loop(attached);
    asio::post(running, [&] { watcher->async_wait(child_that_exits(0), where); });
    Setup::run(running);
    BOOST_TEST(on == &running); // not yet
    Setup::run(attached);
    BOOST_TEST(on == &attached);

    watcher->async_wait(child_that_exits(0), asio::bind_executor(running.get_executor(), where));
    Setup::run(running);
    BOOST_TEST(on == &running);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_existing_loop_of_the_thread, Setup, setups)
{
    if (is_not_without_attachment("child_watcher_loops/the_existing_loop_of_the_thread"))
        return;
    const child_ledger ledger;
    const auto watcher = Setup::make();
    loops::event_loop loop;
    loops::set_event_loop(loop);
    const recorder record;
    watcher->async_wait(child_that_exits(3), record);
    loops::set_event_loop(nullptr);
    Setup::run(loop);
    BOOST_TEST(record.result->exit().returncode() == 3);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(no_loop, Setup, setups)
{
    if (is_not_without_attachment("child_watcher_loops/no_loop"))
        return;
    warm_up_background();
    const child_ledger ledger;
    const auto watcher = Setup::make();
    const recorder record;
    const recorder added;
    gated_child child;
    watcher->async_wait(child.pid(), record);
    watcher->add_child_handler(child.pid(), added);
    BOOST_TEST(eventually([&] { return record.result->calls() + added.result->calls() == 2; }));
    BOOST_TEST((record.result->ec() == error::no_running_event_loop));
    BOOST_TEST((added.result->ec() == error::no_running_event_loop));
    // A handler that has an executor, but no loop, needs none.
    auto future = watcher->async_wait(child.pid(), asio::use_future);
    asio::thread_pool pool(1);
    const recorder pooled;
    watcher->async_wait(child.pid(), asio::bind_executor(pool.get_executor(), pooled));
    child.let_go();
    BOOST_TEST(future.get().returncode() == 0);
    pool.join(); // the wait counts as work
    BOOST_TEST(pooled.result->calls() == 1U);
    BOOST_TEST(!pooled.result->ec());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(detached_it_keeps_what_is_pending, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context first;
    asio::io_context second;
    const auto watcher = Setup::make();
    BOOST_TEST(watcher->is_active() != needs_attachment());
    watcher->attach_loop(first);
    BOOST_TEST(watcher->is_active());
    const recorder waiting;
    const recorder handler;
    const recorder own;
    gated_child child(6);
    watcher->async_wait(child.pid(), waiting);
    watcher->add_child_handler(child.pid(), handler);
    watcher->async_wait(child.pid(), asio::bind_executor(first.get_executor(), own));
    std::string said;
    {
        log_capture log;
        watcher->attach_loop(nullptr);
        said = log.said();
    }
    BOOST_TEST(said.find("2 waits") != std::string::npos);
    BOOST_TEST(!watcher->is_active());
    child.let_go();
    Setup::run(first);
    BOOST_TEST(own.result->exit().returncode() == 6); // it has a loop of its own
    BOOST_TEST(waiting.result->calls() + handler.result->calls() == 0U);

    // Registered while detached, and dead before it is attached.
    const recorder late;
    const pid_t other = child_that_exits(7);
    {
        log_capture log;
        watcher->async_wait(other, late);
        BOOST_TEST(log.said().find(std::to_string(other)) != std::string::npos);
    }
    until_dead(other);
    watcher->attach_loop(second);
    BOOST_TEST(watcher->is_active());
    Setup::run(second);
    BOOST_TEST(waiting.result->exit().returncode() == 6);
    BOOST_TEST(handler.result->exit().returncode() == 6);
    BOOST_TEST(late.result->exit().returncode() == 7);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(attached_anew_it_moves_what_is_pending, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context second;
    const auto watcher = Setup::make();
    const recorder waiting;
    const recorder queued;
    const recorder reaper;
    gated_child child(2);
    gated_child dead(3);
    {
        asio::io_context first;
        watcher->attach_loop(first);
        watcher->async_wait(child.pid(), waiting);
        watcher->async_wait(dead.pid(), queued);
        watcher->async_wait(dead.pid(), asio::bind_executor(second.get_executor(), reaper));
        dead.let_go();
        second.run_one(); // reaps; the other wait is queued on the first loop
        watcher->attach_loop(second);
        first.run(); // nothing keeps it
    }
    child.let_go();
    Setup::run(second);
    BOOST_TEST(waiting.result->exit().returncode() == 2);
    BOOST_TEST(queued.result->exit().returncode() == 3);
    BOOST_TEST(reaper.result->exit().returncode() == 3);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(attached_to_a_loop_that_goes, Setup, setups)
{
    const child_ledger ledger;
    const auto watcher = Setup::make();
    tells_its_end handler;
    const std::weak_ptr<int> alive = handler.alive;
    gated_child child(1);
    {
        loops::event_loop loop;
        watcher->attach_loop(loop);
        watcher->async_wait(child.pid(), std::move(handler));
        loop.poll();
        loop.close();
        check_error([&] { watcher->attach_loop(loop); }, error::loop_closed);
    }
    BOOST_TEST(alive.expired()); // destroyed uncalled
    BOOST_TEST(!watcher->is_active());
    asio::io_context other;
    watcher->attach_loop(other);
    const recorder record;
    watcher->async_wait(child.pid(), record);
    child.let_go();
    Setup::run(other);
    BOOST_TEST(record.result->exit().returncode() == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_loop_destroyed_with_waits, Setup, setups)
{
    const child_ledger ledger;
    const auto watcher = Setup::make();
    asio::io_context other;
    const recorder record;
    gated_child child(1);
    gated_child queued(2);
    const recorder reaper;
    std::vector<std::weak_ptr<int>> alive;
    {
        asio::io_context loop;
        for (const pid_t pid : {child.pid(), child.pid(), queued.pid()})
        {
            tells_its_end handler;
            alive.push_back(handler.alive);
            watcher->async_wait(pid, asio::bind_executor(loop.get_executor(), std::move(handler)));
        }
        tells_its_end added;
        alive.push_back(added.alive);
        watcher->add_child_handler(
            child.pid(), asio::bind_executor(loop.get_executor(), std::move(added)));
        watcher->async_wait(child.pid(), asio::bind_executor(other.get_executor(), record));
        watcher->async_wait(queued.pid(), asio::bind_executor(other.get_executor(), reaper));
        queued.let_go();
        other.run_one();
    }
    for (const auto& one : alive)
        BOOST_TEST(one.expired());
    child.let_go();
    Setup::run(other);
    BOOST_TEST(record.result->exit().returncode() == 1);
    BOOST_TEST(reaper.result->exit().returncode() == 2);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_stopped_loop_delays_only_its_own, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context stopped;
    asio::io_context loop;
    const auto watcher = Setup::make();
    by_callback way;
    gated_child child(8);
    const auto delayed = way.start(*watcher, stopped, child.pid());
    const auto result = way.start(*watcher, loop, child.pid());
    stopped.stop();
    child.let_go();
    Setup::run(loop);
    BOOST_TEST(result->exit().returncode() == 8);
    BOOST_TEST(delayed->calls() == 0U);
    Setup::run(stopped);
    BOOST_TEST(delayed->exit().returncode() == 8);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(run_returns, Setup, setups)
{
    warm_up_background();
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    Setup::run(loop); // attached, and no child
    const recorder record;
    watcher->async_wait(child_that_exits(0), record);
    Setup::run(loop);
    BOOST_TEST(record.result->calls() == 1U);
    gated_child child;
    watcher->async_wait(child.pid(), record);
    {
        const log_capture log;
        watcher->attach_loop(nullptr);
    }
    Setup::run(loop); // what is kept is no work
    watcher->close();
    child.reap();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(closed, Setup, setups_and_ways)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    const asio::steady_timer reactor(loop); // Asio's own descriptors come with the first object
    const asio::steady_timer other_reactor(other);
    const auto before = child_ledger::count_descriptors();
    const auto watcher = Setup::make();
    typename Setup::way way;
    gated_child child;
    const auto first = way.start(*watcher, loop, child.pid());
    const auto second = way.start(*watcher, other, child.pid());
    loop.poll();
    other.poll();
    watcher->close();
    watcher->close();
    BOOST_TEST(!watcher->is_active());
    BOOST_TEST(child_ledger::count_descriptors() == before + 1); // the child's gate
    const auto late = way.start(*watcher, loop, child.pid());
    Setup::run(loop);
    Setup::run(other);
    way.finish();
    for (const auto& result : {first, second})
    {
        BOOST_TEST(result->calls() == 1U);
        BOOST_TEST((result->ec() == asio::error::operation_aborted));
    }
    BOOST_TEST((late->ec() == error::watcher_closed));
    check_error([&] { watcher->attach_loop(loop); }, error::watcher_closed);
    check_error([&] { watcher->attach_loop(nullptr); }, error::watcher_closed);
    child.reap(); // neither signalled nor reaped
}

BOOST_AUTO_TEST_CASE_TEMPLATE(destroyed_with_waits, Setup, setups)
{
    warm_up_background();
    const child_ledger ledger;
    asio::io_context loop;
    auto watcher = Setup::make();
    auto sibling = Setup::make();
    gated_child child(5);
    by_callback way;
    const auto aborted = way.start(*watcher, loop, child.pid());
    const auto result = way.start(*sibling, loop, child.pid());
    const recorder kept;
    {
        const log_capture log;
        watcher->attach_loop(nullptr);
        watcher->async_wait(child.pid(), kept);
    }
    watcher.reset();
    // There is no loop for what was kept.
    BOOST_TEST(eventually([&] { return kept.result->calls() == 1; }));
    BOOST_TEST((kept.result->ec() == asio::error::operation_aborted));
    child.let_go();
    Setup::run(loop);
    BOOST_TEST((aborted->ec() == asio::error::operation_aborted));
    BOOST_TEST(result->exit().returncode() == 5);
}

BOOST_AUTO_TEST_CASE(the_watcher_of_a_policy)
{
    const child_ledger ledger;
    loops::event_loop loop;
    const auto watcher = loops::get_child_watcher();
    BOOST_TEST(watcher == loops::get_child_watcher());
    BOOST_TEST(watcher->is_active());
    const recorder record;
    watcher->async_wait(child_that_exits(1), asio::bind_executor(loop.get_executor(), record));
    loop.run();
    BOOST_TEST(record.result->exit().returncode() == 1);
    loops::set_child_watcher(watcher);
    BOOST_TEST(watcher->is_active()); // the same one: it is not closed
    const auto other = std::make_shared<loops::pidfd_child_watcher>();
    loops::set_child_watcher(other);
    BOOST_TEST(!watcher->is_active());
    BOOST_TEST(loops::get_child_watcher() == other);
    loops::set_child_watcher(nullptr);
    BOOST_TEST(!other->is_active());
    BOOST_TEST(loops::get_child_watcher()->is_active());
    loops::set_child_watcher(nullptr);
}
