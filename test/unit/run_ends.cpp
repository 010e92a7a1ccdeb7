// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What a run tells when it ends, and whom a request to stop ends, where several threads run a loop or a
// handler runs others.

#define BOOST_TEST_MODULE run_ends
#include <loops/event_loop.hpp>
#include <loops/loop_guest.hpp>
#include <loops/loop_stats.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/policy/virtual_time_policy.hpp>

#include "support/latch.hpp"
#include "support/quiet_guest.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <thread>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

loops::event_loop& loop_of(loops::shared_policy& policy)
{
    return static_cast<loops::event_loop&>(policy.get_event_loop());
}

// How many threads run a loop, seen by handlers that wait for each other.
bool are_running(asio::io_context& loop, std::size_t threads)
{
    test::latch all(threads);
    test::latch left(threads);
    std::atomic<bool> together{true};
    for (std::size_t i = 0; i < threads; ++i)
        asio::post(loop, [&] {
            all.count_down();
            together = all.wait() && together;
            left.count_down();
        });
    return left.wait() && together;
}

void poll_for(asio::io_context& loop, std::chrono::milliseconds time)
{
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end)
        loop.poll();
}

} // namespace

BOOST_AUTO_TEST_CASE(a_request_to_stop_ends_no_thread_of_a_policy)
{
    for (int round = 0; round < 20; ++round)
    {
        loops::shared_policy policy(3);
        policy.start();
        loop_of(policy).request_stop();
        BOOST_REQUIRE(are_running(loop_of(policy), 3));
    }
}

BOOST_AUTO_TEST_CASE(a_request_to_stop_ends_a_caller_beside_a_policys_thread)
{
    for (int round = 0; round < 20; ++round)
    {
        loops::shared_policy policy(1);
        policy.start();
        loops::event_loop& loop = loop_of(policy);
        test::latch back;
        std::thread caller([&] {
            loop.run_forever();
            back.count_down();
        });
        BOOST_REQUIRE(are_running(loop, 2));
        loop.request_stop();
        const bool ended = back.wait();
        BOOST_CHECK(ended);
        BOOST_CHECK(are_running(loop, 1));
        policy.stop();
        policy.join();
        while (!ended && !loop.stopped())
            loop.stop();
        caller.join();
    }
}

BOOST_AUTO_TEST_CASE(a_request_to_stop_does_not_pass_for_want_of_work_in_a_drain)
{
    loops::shared_policy policy(1);
    policy.start();
    loops::event_loop& loop = loop_of(policy);
    std::atomic<bool> ran{false};
    asio::steady_timer timer(loop, 300ms);
    timer.async_wait([&](loops::error_code ec) { ran = !ec; });
    test::latch draining;
    policy.on_drain([&] { draining.count_down(); });
    std::thread other([&] {
        draining.wait();
        loop.request_stop();
    });
    BOOST_TEST(policy.drain(10s).complete);
    BOOST_TEST(ran);
    other.join();
}

BOOST_AUTO_TEST_CASE(a_stop_in_a_drain_leaves_the_loop_busy)
{
    loops::shared_policy policy(1);
    policy.start();
    loops::event_loop& loop = loop_of(policy);
    asio::steady_timer timer(loop, 1h);
    timer.async_wait([](loops::error_code) {});
    test::latch draining;
    policy.on_drain([&] { draining.count_down(); });
    std::thread other([&] {
        draining.wait();
        loop.stop();
    });
    const auto report = policy.drain(10s);
    other.join();
    BOOST_TEST(!report.complete);
    BOOST_REQUIRE(report.loops.size() == 1u);
    BOOST_TEST(report.loops[0].busy);
}

BOOST_AUTO_TEST_CASE(a_handler_that_runs_others_spoils_no_count)
{
    loops::event_loop loop;
    const auto work = asio::make_work_guard(loop);
    loops::collect_stats(loop, true); // which asks the loop again and again
    bool ran = false;
    asio::post(loop, [&] {
        poll_for(loop, 400ms);
        ran = true;
    });
    BOOST_TEST(loop.run_one_for(20s) == 1u);
    BOOST_TEST(ran);
    asio::post(loop, [&] { poll_for(loop, 1ms); });
    BOOST_TEST(loop.run_one_for(20s) == 1u);
}

BOOST_AUTO_TEST_CASE(nothing_is_thrown_through_a_handler_that_runs_others)
{
    loops::event_loop loop;
    test::latch inside;
    std::atomic<bool> over{false};
    bool ended = false;
    bool debug = false;
    asio::post(loop, [&] {
        const auto work = asio::make_work_guard(loop);
        inside.count_down();
        while (!over)
            poll_for(loop, 1ms);
        poll_for(loop, 50ms);
        ended = true;
        asio::post(loop, [&] { debug = loop.get_debug(); });
    });
    std::thread other([&] {
        inside.wait();
        loop.set_debug(true); // has runs that are under way look at it
        over = true;
    });
    loop.run();
    other.join();
    BOOST_TEST(ended);
    BOOST_TEST(debug);
}

BOOST_AUTO_TEST_CASE(a_run_that_is_refused_is_not_tried_again)
{
    loops::shared_policy policy(2);
    std::atomic<int> calls{0};
    policy.on_exception(loops::exception_action::call([&](const std::exception_ptr&) { ++calls; }));
    // One thread hosts it; the other one cannot.
    loops::add_guest(policy.get_event_loop(), std::make_shared<test::quiet_guest>());
    BOOST_CHECK_THROW(
        {
            policy.start();
            policy.join();
        },
        loops::system_error);
    BOOST_TEST(calls <= 1);
}

BOOST_AUTO_TEST_CASE(time_does_not_jump_while_a_handler_runs_elsewhere)
{
    loops::virtual_time_options options;
    options.idle = 50ms;
    const auto pool = std::make_shared<loops::pool_policy>(2);
    loops::virtual_time_policy policy(pool, options);
    policy.start();
    const auto work = std::make_shared<loops::loop_timer>(pool->loop(1));
    test::latch set;
    asio::post(pool->loop(1), [&] {
        work->expires_after(1h);
        work->async_wait([work](loops::error_code) {});
        set.count_down();
    });
    loops::loop_clock::duration passed{};
    test::latch done;
    asio::post(pool->loop(0), [&] {
        set.wait();
        const auto begin = loops::loop_clock::now();
        poll_for(*std::make_unique<asio::io_context>(), 300ms); // real time
        passed = loops::loop_clock::now() - begin;
        done.count_down();
    });
    BOOST_TEST(done.wait());
    BOOST_TEST((passed < 1min));
    policy.stop();
    policy.join();
}
