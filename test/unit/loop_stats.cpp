// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE loop_stats
#include <loops/lease.hpp>
#include <loops/loop_stats.hpp>
#include <loops/loop_watch.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/run.hpp>
#include <loops/spawn.hpp>
#include <loops/watcher/pidfd_child_watcher.hpp>

#include "support/child_processes.hpp"
#include "support/error_check.hpp"
#include "support/latch.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>

#include <time.h>

namespace asio = boost::asio;
using loops::collect_stats;
using loops::loop_stats;
using loops::stats_of;
using namespace std::chrono_literals;

namespace {

// The CPU time of the calling thread.
std::chrono::nanoseconds used()
{
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// Computes for a time of the thread's own.
void burn(std::chrono::nanoseconds time)
{
    const auto end = used() + time;
    while (used() < end)
    {}
}

// Posts handlers that do nothing, and waits for the last.
void post_and_wait(asio::io_context& loop, int number)
{
    test::latch done;
    for (int i = 1; i < number; ++i)
        asio::post(loop, [] {});
    asio::post(loop, [&] { done.count_down(); });
    BOOST_TEST(done.wait());
}

} // namespace

BOOST_AUTO_TEST_CASE(leases_tasks_waits_and_threads_are_seen_without_counters)
{
    const auto pool = std::make_shared<loops::pool_policy>(1);
    asio::io_context& loop = pool->loop(0);
    BOOST_TEST(stats_of(loop).threads == 1);
    {
        const loops::lease some(loop, 5);
        BOOST_TEST(stats_of(loop).leases == 5);
    }
    std::function<void()> end;
    test::latch began;
    loops::spawn(
        loop.get_executor(),
        [&](auto done) {
            end = [done = std::make_shared<decltype(done)>(std::move(done))] { (*done)(); };
            began.count_down();
        },
        asio::detached);
    BOOST_TEST(began.wait());
    BOOST_TEST(stats_of(loop).tasks == 1);

    test::gated_child child;
    loops::pidfd_child_watcher watcher;
    test::latch exited(2);
    for (int i = 0; i < 2; ++i)
        watcher.async_wait(
            child.pid(), asio::bind_executor(loop.get_executor(),
                             [&](loops::error_code, loops::child_exit) { exited.count_down(); }));
    BOOST_TEST(stats_of(loop).waits == 2);
    child.let_go();
    BOOST_TEST(exited.wait());
    asio::post(loop, [&] { std::exchange(end, nullptr)(); });
    BOOST_TEST(test::eventually([&] { return stats_of(loop).tasks == 0; }));

    const loop_stats all = stats_of(loop);
    BOOST_TEST(!all.collecting);
    BOOST_TEST(all.leases == 0);
    BOOST_TEST(all.waits == 0);
    BOOST_TEST(all.handlers == 0U);
    BOOST_TEST(all.busy() == 0);
    BOOST_TEST((all.cpu == 0ns && all.elapsed == 0ns && all.lag == 0ns));
}

BOOST_AUTO_TEST_CASE(handlers_are_counted_exactly_while_the_counters_are_on)
{
    const auto pool = std::make_shared<loops::pool_policy>(1);
    asio::io_context& loop = pool->loop(0);
    post_and_wait(loop, 10); // the run is under way
    collect_stats(loop);
    // The run has its look when it has left the function of Asio that it was in.
    BOOST_TEST(test::eventually([&] {
        post_and_wait(loop, 1);
        return stats_of(loop).handlers > 0;
    }));
    // A handler is counted when it has returned.
    const auto counted = [&](const loop_stats& before, std::uint64_t number) {
        return test::eventually([&] { return stats_of(loop).since(before).handlers == number; });
    };
    // In a handler, which is the first to be counted afterwards.
    loop_stats begin;
    test::latch began;
    asio::post(loop, [&] {
        begin = stats_of(loop);
        began.count_down();
    });
    BOOST_TEST(began.wait());
    post_and_wait(loop, 999);
    BOOST_TEST(counted(begin, 1000));
    collect_stats(loop); // twice is once
    post_and_wait(loop, 10);
    BOOST_TEST(counted(begin, 1010));

    collect_stats(loop, false);
    post_and_wait(loop, 10);
    const loop_stats off = stats_of(loop);
    BOOST_TEST(!off.collecting);
    BOOST_TEST(off.since(begin).handlers == 1010U);
    BOOST_TEST((off.elapsed > 0ns));
    post_and_wait(loop, 10);
    BOOST_TEST((stats_of(loop).elapsed == off.elapsed && stats_of(loop).cpu == off.cpu));
}

BOOST_AUTO_TEST_CASE(every_kind_of_run_counts)
{
    loops::event_loop loop("counted");
    collect_stats(loop);
    std::uint64_t posted = 0;
    const auto post = [&](int number) {
        loop.restart();
        for (int i = 0; i < number; ++i, ++posted)
            asio::post(loop, [] {});
    };
    post(3);
    BOOST_TEST(loop.run_one() == 1U);
    BOOST_TEST(loop.poll_one() == 1U);
    BOOST_TEST(loops::run_loop(loop) == 1U);
    post(5);
    BOOST_TEST(loop.poll() == 5U);
    post(5);
    BOOST_TEST(loop.run_for(10s) == 5U);
    BOOST_TEST(stats_of(loop).handlers == posted);

    post(2);
    asio::post(loop, [] { throw std::runtime_error("counted, too"); });
    post(2);
    BOOST_CHECK_THROW(loop.run(), std::runtime_error);
    BOOST_TEST(loop.run() == 2U);
    BOOST_TEST(stats_of(loop).handlers == ++posted);
    loop.set_exception_handler([](const std::exception_ptr&) {});
    asio::post(loop, [] { throw std::runtime_error("handled"); });
    post(1);
    BOOST_TEST(loop.run() == 2U);
    BOOST_TEST(stats_of(loop).handlers == ++posted);
    loop.set_debug(true);
    post(4);
    BOOST_TEST(loop.run() == 4U);
    BOOST_TEST(stats_of(loop).handlers == posted);

    asio::io_context adopted;
    collect_stats(adopted);
    asio::post(adopted, [] {});
    BOOST_TEST(loops::run_loop(adopted) == 1U);
    BOOST_TEST(stats_of(adopted).handlers == 1U);
    adopted.restart();
    asio::post(adopted, [] {});
    BOOST_TEST(adopted.run() >= 1U); // not through Loops
    BOOST_TEST(stats_of(adopted).handlers == 1U);
}

BOOST_AUTO_TEST_CASE(the_clocks_of_the_threads_tell_how_busy_a_loop_is)
{
    const auto policy = std::make_shared<loops::shared_policy>(2);
    policy->collect_stats(); // of loops to come
    policy->start();
    asio::io_context& loop = policy->get_event_loop();
    BOOST_TEST(stats_of(loop).collecting);
    BOOST_TEST(stats_of(loop).threads == 2);
    const auto began = std::chrono::steady_clock::now();
    const loop_stats before = stats_of(loop);
    test::latch both(2);
    std::atomic<bool> enough{false};
    for (int i = 0; i < 2; ++i)
    {
        asio::post(loop, [&] {
            burn(30ms);
            both.count_down();
            while (!enough)
                std::this_thread::yield();
        });
    }
    BOOST_TEST(both.wait());
    // In the middle of handlers.
    const loop_stats now = stats_of(loop).since(before);
    // This thread may have waited for a CPU between looks at two clocks.
    const auto elapsed = std::chrono::steady_clock::now() - began;
    BOOST_TEST((now.cpu >= 60ms));
    BOOST_TEST(now.busy() > 0);
    BOOST_TEST((now.cpu <= 2 * elapsed + 10ms));
    BOOST_TEST((now.elapsed <= elapsed));
    enough = true;
    policy->stop();
    policy->join();
    const loop_stats after = stats_of(loop);
    BOOST_TEST(after.threads == 0);
    BOOST_TEST((after.cpu >= before.cpu + now.cpu));

    // What was used before the counters were turned on is not counted, nor after.
    loops::event_loop own;
    std::chrono::nanoseconds inner{};
    std::chrono::nanoseconds outer{};
    asio::post(own, [&] {
        burn(30ms);
        const auto outer_began = used();
        collect_stats(own);
        const auto inner_began = used();
        burn(10ms);
        inner = used() - inner_began;
        collect_stats(own, false);
        outer = used() - outer_began;
        burn(30ms);
    });
    own.run();
    BOOST_TEST((stats_of(own).cpu >= inner));
    BOOST_TEST((stats_of(own).cpu <= outer));
    BOOST_TEST(stats_of(own).busy() > 0);
}

BOOST_AUTO_TEST_CASE(a_thread_that_is_woken_is_counted)
{
    const auto pool = std::make_shared<loops::pool_policy>(1);
    asio::io_context& loop = pool->loop(0);
    collect_stats(loop);
    // Nobody tells when a thread has gone to sleep: it is woken until it has been found asleep.
    const auto woken = [&](std::uint64_t times) {
        post_and_wait(loop, 1);
        return stats_of(loop).wake_ups >= times;
    };
    BOOST_TEST(test::eventually([&] { return woken(5); }));
}

BOOST_AUTO_TEST_CASE(a_loop_that_is_held_up_lags)
{
    const auto pool = std::make_shared<loops::pool_policy>(1);
    asio::io_context& loop = pool->loop(0);
    pool->collect_stats();
    BOOST_TEST(test::eventually([&] { return stats_of(loop).lag > 0ns; }));
    std::atomic<bool> enough{false};
    asio::post(loop, [&] {
        while (!enough)
            std::this_thread::yield();
    });
    // Seen before it has answered.
    BOOST_TEST(test::eventually([&] { return stats_of(loop).lag > 150ms; }));
    enough = true;
    BOOST_TEST(test::eventually([&] { return stats_of(loop).lag < 150ms; }));
    BOOST_TEST((stats_of(loop).highest_lag > 150ms));
    pool->collect_stats(false);
    BOOST_TEST(!stats_of(loop).collecting);
    collect_stats(loop);
    BOOST_TEST(test::eventually([&] { return stats_of(loop).lag > 0ns; }));
}

BOOST_AUTO_TEST_CASE(a_closed_loop_has_no_counters)
{
    loops::event_loop loop("gone");
    collect_stats(loop);
    loop.close();
    test::check_error([&] { stats_of(loop); }, loops::error::loop_closed, "gone");
    test::check_error([&] { collect_stats(loop); }, loops::error::loop_closed, "gone");
    const auto policy = std::make_shared<loops::default_policy>();
    policy->close();
    test::check_error([&] { policy->collect_stats(); }, loops::error::policy_closed);
}
