// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// How policies stop, are stopped while they start, are replaced and are dropped.

#define BOOST_TEST_MODULE policy_ends
#include <loops/error.hpp>
#include <loops/event_loop.hpp>

#include "contract/policy_suite.hpp"
#include "support/error_check.hpp"
#include "support/latch.hpp"
#include "support/log_capture.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace asio = boost::asio;
using loops::error;
using loops::event_loop;
using test::check_error;
using namespace std::chrono_literals;

namespace {

// Has the policy made the loop that run() will run, and hands it out.
asio::io_context& loop_of(loops::event_loop_policy& policy)
{
    return policy.select_event_loop();
}

} // namespace

LOOPS_POLICY_CASE(a_stop_is_waited_for_by_the_next_run)
{
    const auto policy = kind.make();
    for (int round = 0; round < 20; ++round)
    {
        policy->start();
        test::latch inside;
        std::thread other;
        if (kind.run_by_caller)
            other = std::thread([&] {
                asio::post(loop_of(*policy), [&] { inside.count_down(); });
                policy->run();
            });
        else
            inside.count_down();
        BOOST_TEST(inside.wait());
        asio::io_context& loop = loop_of(*policy);
        policy->stop();
        bool ran = false;
        asio::post(loop, [&] {
            ran = true;
            policy->stop();
        });
        policy->run();
        BOOST_TEST(ran);
        if (other.joinable())
            other.join();
        policy->join();
    }
}

LOOPS_POLICY_CASE(started_anew_it_drains)
{
    const auto policy = kind.make();
    policy->start();
    policy->stop();
    policy->start();
    std::atomic<bool> fired{false};
    asio::steady_timer timer(loop_of(*policy), 20ms);
    timer.async_wait([&](const loops::error_code& ec) { fired = !ec; });
    std::thread runner;
    test::latch inside;
    asio::post(timer.get_executor(), [&] { inside.count_down(); });
    if (kind.run_by_caller)
    {
        asio::io_context* const loop = policy->existing_event_loop();
        runner = std::thread([&, loop] {
            if (policy->existing_event_loop() != loop)
                policy->set_event_loop(loop);
            policy->run();
        });
    }
    BOOST_REQUIRE(inside.wait());
    BOOST_TEST(policy->drain(test::patience).complete);
    BOOST_TEST(fired);
    if (runner.joinable())
        runner.join();
    policy->join();
}

LOOPS_POLICY_CASE(closed_while_it_starts)
{
    for (int round = 0; round < 10; ++round)
    {
        const auto policy = kind.make();
        test::latch making;
        policy->set_loop_factory([&] {
            making.count_down();
            std::this_thread::yield();
            return std::make_unique<event_loop>();
        });
        std::thread starter([&] {
            const auto made = test::error_of([&] {
                policy->start();
                policy->get_event_loop();
                policy->select_event_loop();
            });
            (void)made; // refused, or in time
        });
        BOOST_TEST(making.wait());
        policy->close();
        starter.join();
        check_error([&] { policy->start(); }, error::policy_closed);
        check_error([&] { policy->select_event_loop(); }, error::policy_closed);
    }
}

LOOPS_POLICY_CASE(dropped_by_a_handler_of_its_run)
{
    if (kind.runs_its_loops)
        return; // the handler would not wait for the run
    auto policy = kind.make();
    auto* const raw = policy.get();
    asio::post(loop_of(*policy), [&] {
        policy.reset();
        raw->stop();
    });
    raw->run(); // on its last legs, the run keeps it
    BOOST_TEST(!policy);
}

LOOPS_POLICY_CASE(two_policies_slots_do_not_meet)
{
    asio::io_context own;
    const auto first = kind.make();
    first->set_event_loop(&own);
    for (int i = 0; i < 3; ++i)
    {
        const auto other = kind.make();
        other->get_event_loop();
        BOOST_TEST(first->existing_event_loop() == &own);
    }
    first->set_event_loop(nullptr);
    const auto other = kind.make();
    other->get_event_loop();
    check_error([&] { first->get_event_loop(); }, error::no_current_event_loop);
}

LOOPS_POLICY_CASE(replaced_it_ends_its_work)
{
    if (!kind.runs_its_loops)
        return; // the work is the caller's to run
    for (int round = 0; round < 20; ++round)
    {
        loops::set_event_loop_policy(kind.make());
        constexpr int count = 100;
        auto ran = std::make_shared<std::atomic<int>>(0);
        asio::io_context& loop = loops::select_event_loop();
        for (int i = 0; i < count; ++i)
            asio::post(loop, [ran] { ++*ran; });
        // Copies come and go, as each call of the library makes one.
        std::atomic<bool> copied{false};
        std::thread other([&] {
            const auto copy = loops::get_event_loop_policy();
            copied = true;
            std::this_thread::yield();
        });
        BOOST_TEST(test::eventually([&] { return copied.load(); }));
        loops::set_event_loop_policy(nullptr);
        other.join();
        BOOST_TEST(test::eventually([&] { return *ran == count; }));
    }
}

LOOPS_POLICY_CASE(put_back_it_is_closed_as_any)
{
    const auto policy = kind.make();
    loops::set_event_loop_policy(policy);
    auto alive = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = alive;
    loops::set_event_loop_policy(nullptr);
    loops::set_event_loop_policy(policy);
    policy->stop();
    auto timer = std::make_shared<asio::steady_timer>(policy->get_event_loop(), 1h);
    timer->async_wait([alive = std::move(alive), timer](const loops::error_code&) {});
    timer.reset();
    const test::log_capture log; // the loop dies with work
    policy->close();
    BOOST_TEST(watched.expired());
    loops::set_event_loop_policy(nullptr);
}

LOOPS_POLICY_CASE(what_an_exception_action_throws_is_kept)
{
    const auto policy = kind.make();
    policy->on_exception(loops::exception_action::call(
        [](const std::exception_ptr&) { throw std::logic_error("thrown by the action"); }));
    asio::post(loop_of(*policy), [] { throw std::runtime_error("thrown by a handler"); });
    const auto end = [&] { kind.runs_its_loops ? policy->join() : policy->run(); };
    BOOST_CHECK_THROW(end(), std::logic_error);
    policy->join();
}

LOOPS_POLICY_CASE(an_exception_that_nobody_asked_for_is_logged)
{
    if (!kind.runs_its_loops)
        return; // run() throws it
    const test::log_capture log;
    {
        const auto policy = kind.make();
        test::latch inside;
        asio::post(loop_of(*policy), [&] {
            inside.count_down();
            throw std::runtime_error("unheard of");
        });
        BOOST_TEST(inside.wait());
        policy->close();
    }
    BOOST_TEST(log.said().find("unheard of") != std::string::npos);
}

LOOPS_POLICY_CASE(a_drain_function_that_throws)
{
    const auto policy = kind.make();
    policy->on_drain([] { throw std::runtime_error("thrown before a drain"); });
    policy->start();
    BOOST_CHECK_THROW(policy->drain(1s), std::runtime_error);
    policy->stop();
    policy->join();
}
