// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE pool_policy
#include <loops/error.hpp>
#include <loops/event_loop.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/policy/threaded_policy.hpp>
#include <loops/run.hpp>

#include "support/error_check.hpp"
#include "support/latch.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>

namespace asio = boost::asio;
using loops::error;
using loops::pool_options;
using loops::pool_policy;
using test::check_error;

BOOST_AUTO_TEST_CASE(hooks_run_in_the_context_of_their_loop)
{
    pool_options options;
    options.threads = 2;
    std::shared_ptr<pool_policy> pool;
    std::atomic<int> right{0};
    const auto check = [&](std::size_t i) {
        const loops::policy_scope scope(pool);
        right += &loops::get_event_loop() == &pool->loop(i) ? 1 : 0;
        right += loops::try_get_running_loop() == &pool->loop(i) ? 1 : 0;
    };
    options.on_thread_start = [&](std::size_t i) {
        pool->select_event_loop(); // does not wait for the start that it is part of
        check(i);
    };
    options.on_thread_stop = check;
    pool = std::make_shared<pool_policy>(options);
    pool->start();
    BOOST_TEST(right == 4);
    pool->stop();
    pool->join();
    BOOST_TEST(right == 8);
}

BOOST_AUTO_TEST_CASE(a_stop_hook_may_throw_and_survive_the_pool)
{
    pool_options options;
    options.threads = 2;
    auto called = std::make_shared<std::atomic<int>>(0);
    options.on_thread_stop = [called](std::size_t) {
        ++*called;
        throw std::runtime_error("thrown by a hook");
    };
    auto pool = std::make_shared<pool_policy>(options);
    pool->start();
    pool->stop();
    BOOST_CHECK_THROW(pool->join(), std::runtime_error);
    BOOST_TEST(*called == 2);
    pool->start();
    test::latch posted;
    asio::post(pool->loop(0), [&] {
        posted.wait();
        pool.reset(); // on one of its threads
    });
    posted.count_down();
    BOOST_TEST(test::eventually([&] { return *called == 4; }));
}

BOOST_AUTO_TEST_CASE(stopped_it_gives_out_no_loop_until_it_is_started)
{
    const auto pool = std::make_shared<pool_policy>(2);
    pool->stop(); // never started: nothing to stop
    pool->select_event_loop();
    pool->stop();
    check_error([&] { pool->select_event_loop(); }, error::policy_closed, "start()");
    pool->join();
    check_error([&] { pool->select_event_loop(); }, error::policy_closed, "start()");
    pool->start();
    pool->select_event_loop();
    asio::post(pool->loop(1), [] { throw std::runtime_error("thrown by a handler"); });
    BOOST_CHECK_THROW(pool->join(), std::runtime_error);
    check_error([&] { pool->select_event_loop(); }, error::policy_closed, "stopped");
}

BOOST_AUTO_TEST_CASE(a_request_to_stop_one_loop_leaves_its_thread)
{
    const auto pool = std::make_shared<pool_policy>(2);
    auto& loop = static_cast<loops::event_loop&>(pool->loop(0));
    for (int i = 0; i < 3; ++i)
    {
        loop.request_stop();
        test::latch ran;
        asio::post(loop, [&] { ran.count_down(); });
        BOOST_TEST(ran.wait());
    }
}

BOOST_AUTO_TEST_CASE(a_loop_that_was_stopped_for_itself_gets_its_thread_back)
{
    const auto pool = std::make_shared<pool_policy>(2);
    asio::io_context& loop = pool->loop(0);
    loop.stop();
    std::atomic<bool> ran{false};
    asio::post(loop, [&] { ran = true; });
    loop.restart();
    // The thread may still be on its way out when it is asked for: ask again.
    BOOST_TEST(test::eventually([&] {
        pool->start();
        return ran.load();
    }));
}

BOOST_AUTO_TEST_CASE(long_names_keep_their_index)
{
    pool_options options;
    options.threads = 1;
    options.name = "a-name-that-is-too-long";
    const auto pool = std::make_shared<pool_policy>(options);
    std::string name;
    test::latch asked;
    asio::post(pool->loop(0), [&] {
        char text[32] = {};
        pthread_getname_np(pthread_self(), text, sizeof text);
        name = text;
        asked.count_down();
    });
    BOOST_TEST(asked.wait());
    BOOST_TEST(name == "a-name-that-i-0");
}

// A loop's thread closes another loop of the same policy.
BOOST_AUTO_TEST_CASE(a_thread_of_the_policy_closes_another_loop)
{
    const auto policy = std::make_shared<loops::threaded_policy>();
    const auto first = policy->new_event_loop();
    const auto second = policy->new_event_loop();
    loops::error_code other;
    loops::error_code itself;
    test::latch closed;
    asio::post(*first, [&] {
        second->close(other);
        first->close(itself);
        closed.count_down();
    });
    BOOST_TEST(closed.wait());
    BOOST_TEST(!other);
    BOOST_TEST((itself == error::already_running));
    BOOST_TEST(second->is_closed());
}

BOOST_AUTO_TEST_CASE(loops_handed_out_get_their_threads_back)
{
    const auto policy = std::make_shared<loops::threaded_policy>();
    const auto loop = policy->new_event_loop();
    auto gone = policy->new_event_loop();
    policy->stop();
    policy->join();
    gone.reset();
    policy->start();
    test::latch ran;
    asio::post(*loop, [&] { ran.count_down(); });
    BOOST_TEST(ran.wait());
}

BOOST_AUTO_TEST_CASE(a_shared_loop_is_not_taken_from_below_those_who_run_it)
{
    const auto policy = std::make_shared<loops::shared_policy>(2);
    asio::io_context& loop = policy->get_event_loop();
    auto work = asio::make_work_guard(loop);
    test::latch inside;
    asio::post(loop, [&] { inside.count_down(); });
    std::thread runner([&] { loops::run_loop(loop); });
    BOOST_TEST(inside.wait());
    asio::io_context other;
    check_error([&] { policy->close(); }, error::already_running, "callers");
    check_error([&] { policy->set_event_loop(nullptr); }, error::already_running, "callers");
    check_error([&] { policy->set_event_loop(&other); }, error::already_running, "callers");
    BOOST_TEST(!policy->is_closed());
    BOOST_TEST(policy->existing_event_loop() == &loop);
    work.reset();
    runner.join();
    policy->close();
}

// Two callers run one loop, a third another: nothing is to do, and that is found out at once.
BOOST_AUTO_TEST_CASE(a_drain_sees_loops_that_several_callers_run)
{
    const auto policy = std::make_shared<loops::default_policy>();
    asio::io_context shared;
    asio::io_context own;
    test::latch inside(3);
    std::vector<std::thread> runners;
    for (asio::io_context* const loop : {&shared, &shared, &own})
        runners.emplace_back([&policy, loop] {
            policy->set_event_loop(loop);
            policy->run();
        });
    for (asio::io_context* const loop : {&shared, &shared, &own})
        asio::post(*loop, [&] {
            inside.count_down();
            inside.wait(); // so that each thread takes one
        });
    BOOST_TEST(inside.wait());
    // Work that goes to and fro, and takes its time.
    std::atomic<int> left{200};
    std::function<void()> hop = [&] {
        if (--left > 0)
            asio::post(left % 2 == 0 ? shared : own, hop);
    };
    asio::post(shared, hop);
    BOOST_TEST(policy->drain(test::patience).complete);
    BOOST_TEST(left == 0);
    for (std::thread& each : runners)
        each.join();
}
