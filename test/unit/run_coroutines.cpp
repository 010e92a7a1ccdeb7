// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE run_coroutines
#include <loops/policy/threaded_policy.hpp>
#include <loops/run.hpp>
#include <loops/spawn.hpp>

#include "support/error_check.hpp"
#include "support/latch.hpp"
#include "support/skipped.hpp"
#include "support/tasks.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <future>
#include <memory>
#include <thread>

using loops::error;
using loops::event_loop;
using namespace std::chrono_literals;

using namespace test;

#if defined(LOOPS_HAS_COROUTINES)

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace {

asio::awaitable<int> sleep_and_give(int value)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    co_return value;
}

asio::awaitable<void> sleep_long()
{
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> end_slowly(bool& ended)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    try
    {
        co_await timer.async_wait(asio::use_awaitable);
    }
    catch (const loops::system_error&)
    {}
    co_await asio::this_coro::reset_cancellation_state();
    timer.expires_after(5ms);
    co_await timer.async_wait(asio::use_awaitable);
    ended = true;
}

} // namespace

BOOST_AUTO_TEST_CASE(coroutines_complete_one_after_the_other)
{
    event_loop loop;
    BOOST_TEST(loop.run_until_complete(sleep_and_give(1)) == 1);
    BOOST_TEST(loop.run_until_complete(sleep_and_give(2)) == 2);
    asio::post(loop, [&] { loop.request_stop(); });
    loop.run_forever();
    BOOST_TEST(loop.run_until_complete(sleep_and_give(3)) == 3);
    loop.run();
    BOOST_TEST(loop.run_until_complete(sleep_and_give(4)) == 4);
}

BOOST_AUTO_TEST_CASE(a_stopped_loop_completes_nothing)
{
    event_loop loop("stopped");
    loop.stop();
    check_error([&] { loop.run_until_complete(sleep_and_give(1)); }, asio::error::operation_aborted,
        "stopped");
    loop.restart();
    BOOST_TEST(loop.run_until_complete(sleep_and_give(2)) == 2);
}

BOOST_AUTO_TEST_CASE(a_coroutine_is_not_started_inside_of_its_loop)
{
    event_loop loop;
    asio::post(loop, [&] {
        check_error([&] { loop.run_until_complete(sleep_and_give(1)); }, error::already_running);
        BOOST_TEST(loops::load_of(loop) == 0);
    });
    loop.run();
}

BOOST_AUTO_TEST_CASE(all_leftovers_of_a_coroutine_are_waited_for)
{
    bool ended = false;
    const auto main = [&]() -> asio::awaitable<int> {
        loops::spawn(sleep_long(), asio::detached);
        loops::spawn(end_slowly(ended), asio::detached);
        loops::spawn(sleep_long(), asio::detached);
        co_return co_await sleep_and_give(42);
    };
    BOOST_TEST(loops::run(main()) == 42);
    BOOST_TEST(ended);
    const loops::policy_scope scope(std::make_shared<loops::threaded_policy>());
    ended = false;
    BOOST_TEST(loops::run(main()) == 42);
    BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(a_runner_goes_on_after_a_stop)
{
    loops::runner runner;
    runner.run([] { running_loop().stop(); });
    BOOST_TEST(runner.run(sleep_and_give(1)) == 1);
    BOOST_TEST(runner.run(sleep_and_give(2)) == 2);
}

BOOST_AUTO_TEST_CASE(a_loop_with_a_thread_is_waited_for)
{
    const auto policy = std::make_shared<loops::threaded_policy>();
    const auto loop = policy->new_event_loop();
    BOOST_TEST(loop->run_until_complete(sleep_and_give(1)) == 1);
    BOOST_TEST(loop->run_until_complete(sleep_and_give(2)) == 2);
    std::promise<loops::error_code> inside;
    asio::post(*loop, [&] {
        inside.set_value(test::error_of([&] { loop->run_until_complete(sleep_and_give(3)); }));
    });
    BOOST_TEST((inside.get_future().get() == error::already_running));
}

BOOST_AUTO_TEST_CASE(a_loop_whose_thread_is_gone_completes_nothing)
{
    const auto policy = std::make_shared<loops::threaded_policy>();
    const auto loop = policy->new_event_loop();
    const auto closed = policy->new_event_loop();
    test::latch begun;
    const auto wait = [&]() -> asio::awaitable<void> {
        begun.count_down();
        co_await sleep_long();
    };
    std::thread stopper([&] {
        begun.wait();
        policy->stop();
    });
    check_error([&] { loop->run_until_complete(wait()); }, asio::error::operation_aborted);
    stopper.join();
    policy->close();
    check_error(
        [&] { closed->run_until_complete(sleep_and_give(1)); }, error::no_running_event_loop);
}

#else

BOOST_AUTO_TEST_CASE(all_of_them)
{
    test::skipped("run_coroutines/all_of_them", "this standard has no coroutines");
}

#endif
