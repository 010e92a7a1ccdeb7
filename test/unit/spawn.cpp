// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE spawn
#include <loops/async_invoke.hpp>
#include <loops/run.hpp>
#include <loops/spawn.hpp>

#include "support/error_check.hpp"
#include "support/latch.hpp"
#include "support/tasks.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using loops::error;
using loops::event_loop;
using test::check_error;
using test::code_of;

BOOST_AUTO_TEST_CASE(a_function_reports_its_own_end)
{
    event_loop loop;
    bool inside = true;
    std::vector<std::string> order;
    loops::spawn(
        loop.get_executor(),
        [&](auto done) {
            BOOST_TEST(!inside);
            order.emplace_back("task");
            auto timer = std::make_shared<asio::steady_timer>(loop, std::chrono::milliseconds(1));
            timer->async_wait([timer, done = std::move(done)](
                                  loops::error_code ec) mutable { std::move(done)(ec); });
        },
        [&](const std::exception_ptr& exception) {
            BOOST_TEST(!exception);
            order.emplace_back("end");
        });
    inside = false;
    BOOST_TEST(loops::load_of(loop) == 1);
    loop.run();
    BOOST_TEST(order == (std::vector<std::string>{"task", "end"}));
    BOOST_TEST(loops::load_of(loop) == 0);
}

BOOST_AUTO_TEST_CASE(done_is_a_token_for_an_operation_and_carries_cancellation)
{
    event_loop loop;
    asio::steady_timer timer(loop, std::chrono::hours(1));
    asio::cancellation_signal cancel;
    std::optional<loops::error_code> ended;
    loops::spawn(
        loop.get_executor(), [&](auto done) { timer.async_wait(std::move(done)); },
        asio::bind_cancellation_slot(cancel.slot(),
            [&](const std::exception_ptr& exception) { ended = code_of(exception); }));
    loop.poll();
    BOOST_TEST(!ended.has_value());
    cancel.emit(asio::cancellation_type::terminal);
    loop.run();
    BOOST_REQUIRE(ended.has_value());
    BOOST_TEST((*ended == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(exceptions_and_dropped_ends_complete_the_task)
{
    event_loop loop;
    std::exception_ptr thrown;
    std::exception_ptr dropped;
    loops::spawn(
        loop.get_executor(), [](auto) { throw std::runtime_error("task"); },
        [&](std::exception_ptr exception) { thrown = std::move(exception); });
    loops::spawn(
        loop.get_executor(), [](auto) {},
        [&](std::exception_ptr exception) { dropped = std::move(exception); });
    loop.run();
    BOOST_TEST((code_of(dropped) == asio::error::operation_aborted));
    BOOST_REQUIRE(thrown);
    BOOST_TEST(test::what_is_thrown([&] { std::rethrow_exception(thrown); }) == "task");
}

BOOST_AUTO_TEST_CASE(a_dropped_end_is_told_of_later_since_handlers_may_throw)
{
    event_loop loop;
    bool dropping = false;
    bool inside = false;
    loops::spawn(
        loop.get_executor(),
        [&](auto done) {
            dropping = true;
            {
                const auto dropped = std::move(done);
            }
            dropping = false;
        },
        [&](const std::exception_ptr& exception) {
            inside = dropping;
            BOOST_TEST((code_of(exception) == asio::error::operation_aborted));
            throw std::runtime_error("thrown by the completion");
        });
    BOOST_CHECK_THROW(loop.run(), std::runtime_error);
    BOOST_TEST(!inside);
}

BOOST_AUTO_TEST_CASE(a_detached_exception_leaves_a_handler_of_the_loop)
{
    event_loop loop;
    loops::spawn(
        loop.get_executor(), [](auto) { throw std::runtime_error("task"); }, asio::detached);
    BOOST_TEST(test::what_is_thrown([&] { loop.run(); }) == "task");
}

BOOST_AUTO_TEST_CASE(a_future_waits_for_a_task)
{
    event_loop loop;
    auto future = loops::spawn(
        loop.get_executor(), [](auto done) { done(); }, asio::use_future);
    loop.run();
    future.get();
}

BOOST_AUTO_TEST_CASE(the_task_factory_decides_when_a_task_starts)
{
    const auto policy = loops::get_event_loop_policy();
    std::vector<loops::task> waiting;
    policy->set_task_factory([&](loops::task task) { waiting.push_back(std::move(task)); });
    event_loop loop;
    int ran = 0;
    int ended = 0;
    int refused = 0;
    const auto spawn_one = [&] {
        loops::spawn(
            loop.get_executor(),
            [&](auto done) {
                ++ran;
                done();
            },
            [&](const std::exception_ptr& exception) {
                if (exception)
                    refused += code_of(exception) == error::queue_full ? 1 : 100;
                else
                    ++ended;
            });
    };
    spawn_one();
    spawn_one();
    spawn_one();
    policy->set_task_factory({});
    BOOST_TEST(waiting.size() == 3U);
    BOOST_TEST(waiting[0].loop() == &loop);
    loop.poll();
    BOOST_TEST(ran == 0);
    bool told = false;
    waiting[0].on_end([&] { told = true; });
    waiting[0].start();
    waiting[1].refuse(error::queue_full);
    loop.restart();
    loop.poll();
    BOOST_TEST(told);
    BOOST_TEST(ran == 1);
    BOOST_TEST(ended == 1);
    BOOST_TEST(refused == 1);
    waiting.clear();
    loop.restart();
    loop.poll();
    BOOST_TEST(refused == 101);
    BOOST_TEST(loops::load_of(loop) == 0);
}

BOOST_AUTO_TEST_CASE(a_closed_loop_refuses_tasks)
{
    event_loop closed;
    closed.close();
    event_loop other;
    std::optional<loops::error_code> ended;
    loops::spawn(
        closed.get_executor(), [](auto done) { done(); },
        asio::bind_executor(other.get_executor(),
            [&](const std::exception_ptr& exception) { ended = code_of(exception); }));
    other.run();
    BOOST_REQUIRE(ended.has_value());
    BOOST_TEST((*ended == error::loop_closed));
}

BOOST_AUTO_TEST_CASE(a_refused_task_does_not_complete_inside_of_spawn)
{
    event_loop closed;
    closed.close();
    event_loop loop;
    bool inside = false;
    int ended = 0;
    const auto end = [&] {
        return asio::bind_executor(
            loop.get_executor(), [&](const std::exception_ptr&) { ended += inside ? 100 : 1; });
    };
    const auto policy = loops::get_event_loop_policy();
    policy->set_task_factory([](loops::task task) { task.refuse(error::queue_full); });
    asio::post(loop, [&] {
        inside = true;
        loops::spawn(
            closed.get_executor(), [](auto done) { done(); }, end());
        loops::spawn(
            loop.get_executor(), [](auto done) { done(); }, end());
        inside = false;
    });
    loop.run();
    policy->set_task_factory({});
    BOOST_TEST(ended == 2);
}

BOOST_AUTO_TEST_CASE(a_closed_loop_is_told_of_where_no_loop_runs)
{
    event_loop closed;
    closed.close();
    test::latch both(2);
    std::atomic<int> right{0};
    const auto end = [&](const std::exception_ptr& exception) {
        right += code_of(exception) == error::loop_closed ? 1 : 0;
        both.count_down();
    };
    loops::spawn(
        closed.get_executor(), [](auto done) { done(); }, end);
    loops::async_invoke(
        closed, [] {}, end);
    BOOST_TEST(both.wait());
    BOOST_TEST(right == 2);
    check_error(
        [&] {
            loops::spawn(
                closed.get_executor(), [](auto done) { done(); }, asio::detached);
        },
        error::loop_closed);
}

BOOST_AUTO_TEST_CASE(a_task_that_waits_for_its_start_is_work_of_its_loop)
{
    const auto policy = loops::get_event_loop_policy();
    std::optional<loops::task> held;
    policy->set_task_factory([&](loops::task task) { held.emplace(std::move(task)); });
    event_loop loop;
    asio::thread_pool elsewhere(1);
    bool ran = false;
    loops::spawn(
        loop.get_executor(),
        [&](auto done) {
            ran = true;
            done();
        },
        asio::bind_executor(elsewhere, [](const std::exception_ptr&) {}));
    policy->set_task_factory({});
    loop.poll();
    BOOST_TEST(!loop.stopped());
    std::thread starter([&] { held->start(); });
    loop.run();
    starter.join();
    BOOST_TEST(ran);
    elsewhere.join();
}

BOOST_AUTO_TEST_CASE(a_refused_task_is_no_work_of_its_loop)
{
    const auto policy = loops::get_event_loop_policy();
    policy->set_task_factory([](const loops::task&) {});
    event_loop loop;
    int ended = 0;
    loops::spawn(
        loop.get_executor(), [](auto done) { done(); },
        [&](const std::exception_ptr& exception) {
            ended += code_of(exception) == asio::error::operation_aborted ? 1 : 100;
        });
    policy->set_task_factory({});
    loop.run();
    BOOST_TEST(ended == 1);
}

BOOST_AUTO_TEST_CASE(a_task_that_its_factory_drops_by_throwing_completes_with_that)
{
    const auto policy = loops::get_event_loop_policy();
    policy->set_task_factory([](const loops::task&) { throw std::runtime_error("factory"); });
    event_loop loop;
    int ended = 0;
    int thrown = 0;
    loops::spawn(
        loop.get_executor(), [](auto done) { done(); },
        [&](const std::exception_ptr& exception) {
            ++ended;
            try
            {
                std::rethrow_exception(exception);
            }
            catch (const std::runtime_error& e)
            {
                thrown += e.what() == std::string("factory") ? 1 : 0;
            }
        });
    policy->set_task_factory({});
    loop.run();
    BOOST_TEST(ended == 1);
    BOOST_TEST(thrown == 1);
}

BOOST_AUTO_TEST_CASE(what_leaves_a_factory_that_passed_the_task_on_leaves_the_loop)
{
    const auto policy = loops::get_event_loop_policy();
    policy->set_task_factory([](loops::task task) {
        task.start();
        throw std::runtime_error("factory");
    });
    event_loop loop;
    int handled = 0;
    loop.set_exception_handler([&](const std::exception_ptr&) { ++handled; });
    int ended = 0;
    loops::spawn(
        loop.get_executor(), [](auto done) { done(); },
        [&](const std::exception_ptr& exception) { ended += exception ? 100 : 1; });
    policy->set_task_factory({});
    loop.run();
    BOOST_TEST(ended == 1);
    BOOST_TEST(handled == 1);
}

BOOST_AUTO_TEST_CASE(run_returns_the_value_and_restores_the_current_loop)
{
    asio::io_context current;
    loops::set_event_loop(current);
    int later = 0;
    const int value = loops::run([&] {
        BOOST_TEST(&loops::get_event_loop() != &current);
        asio::post(loops::get_event_loop(), [&] { ++later; });
        return 7;
    });
    BOOST_TEST(value == 7);
    BOOST_TEST(later == 1);
    BOOST_TEST(&loops::get_event_loop() == &current);
    BOOST_CHECK_THROW(loops::run([] { throw std::runtime_error("main"); }), std::runtime_error);
    BOOST_TEST(&loops::get_event_loop() == &current);
    loops::set_event_loop(nullptr);
}

BOOST_AUTO_TEST_CASE(run_inside_a_running_loop_is_refused_and_the_outer_run_unharmed)
{
    int after = 0;
    loops::run([&] {
        check_error([] { loops::run([] {}); }, error::already_running, "spawn");
        asio::post(loops::get_event_loop(), [&] { ++after; });
    });
    BOOST_TEST(after == 1);
}

BOOST_AUTO_TEST_CASE(a_runner_runs_several_times_on_one_loop)
{
    loops::runner runner;
    asio::io_context* const first = runner.run([] { return &loops::get_event_loop(); });
    asio::io_context* const second = runner.run([] { return &loops::get_event_loop(); });
    BOOST_TEST(first == second);
    BOOST_TEST(first == &runner.get_loop());
    runner.close();
    runner.close();
    check_error([&] { runner.run([] {}); }, error::loop_closed);
}

BOOST_AUTO_TEST_CASE(what_a_main_function_leaves_is_cancelled_and_waited_for)
{
    std::optional<loops::error_code> ended;
    auto timer = std::make_shared<std::optional<asio::steady_timer>>();
    loops::run([&] {
        auto& loop = static_cast<event_loop&>(loops::get_event_loop());
        timer->emplace(loop, std::chrono::hours(1));
        loops::spawn(
            loop.get_executor(), [&](auto done) { (*timer)->async_wait(std::move(done)); },
            [&](const std::exception_ptr& exception) {
                ended = code_of(exception);
                timer->reset();
            });
        asio::post(loop, [&] { loop.request_stop(); });
    });
    BOOST_REQUIRE(ended.has_value());
    BOOST_TEST((*ended == asio::error::operation_aborted));
}

#if defined(LOOPS_HAS_COROUTINES)

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace {

asio::awaitable<int> sleep_and_give(int value)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    co_return value;
}

asio::awaitable<void> sleep_long()
{
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> fail()
{
    co_await sleep_and_give(0);
    throw std::runtime_error("coroutine");
}

} // namespace

BOOST_AUTO_TEST_CASE(a_coroutine_is_a_main_task)
{
    BOOST_TEST(loops::run(sleep_and_give(5)) == 5);
    BOOST_CHECK_THROW(loops::run(fail()), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(what_a_main_coroutine_leaves_is_cancelled_and_waited_for)
{
    std::optional<loops::error_code> ended;
    const auto main = [&]() -> asio::awaitable<int> {
        loops::spawn(
            sleep_long(), [&](const std::exception_ptr& exception) { ended = code_of(exception); });
        co_return co_await sleep_and_give(3);
    };
    BOOST_TEST(loops::run(main()) == 3);
    BOOST_REQUIRE(ended.has_value());
    BOOST_TEST((*ended == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(a_coroutine_awaits_tasks_and_invocations)
{
    event_loop other;
    auto work = asio::make_work_guard(other);
    std::thread thread([&] { other.run(); });
    const auto main = [&]() -> asio::awaitable<int> {
        const int a = co_await loops::spawn(sleep_and_give(1), asio::use_awaitable);
        const int b = co_await loops::async_invoke(
            other, [] { return 2; }, asio::use_awaitable);
        co_return a + b;
    };
    BOOST_TEST(loops::run(main()) == 3);
    work.reset();
    thread.join();
}

BOOST_AUTO_TEST_CASE(run_until_complete_says_when_it_was_stopped_before)
{
    event_loop loop("stopped");
    BOOST_TEST(loop.run_until_complete(sleep_and_give(4)) == 4);
    asio::post(loop, [&] { loop.request_stop(); });
    check_error(
        [&] { loop.run_until_complete(sleep_long()); }, asio::error::operation_aborted, "stopped");
    loop.run(); // the coroutine was cancelled: nothing is left
}

BOOST_AUTO_TEST_CASE(a_detached_coroutines_exception_leaves_the_loop)
{
    event_loop loop;
    loops::spawn(loop.get_executor(), fail(), asio::detached);
    BOOST_CHECK_THROW(loop.run(), std::runtime_error);
}

#endif
