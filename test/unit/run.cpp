// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE run
#include <loops/policy/default_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/policy/threaded_policy.hpp>
#include <loops/run.hpp>
#include <loops/spawn.hpp>

#include "support/error_check.hpp"
#include "support/tasks.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using loops::error;
using loops::event_loop;
using namespace std::chrono_literals;

using namespace test;

BOOST_AUTO_TEST_SUITE(again)

BOOST_AUTO_TEST_CASE(run_forever_restarts_a_loop_that_ran_out_of_work)
{
    event_loop loop;
    int ran = 0;
    const auto runs_on = [&] {
        BOOST_TEST(loop.stopped());
        ran = 0;
        asio::post(loop, [&] {
            ++ran;
            asio::post(loop, [&] {
                ++ran;
                loop.request_stop();
            });
        });
        loop.run_forever();
        BOOST_TEST(ran == 2);
        BOOST_TEST(!loop.stopped());
    };
    loop.run();
    runs_on();
    loop.run_for(1s);
    runs_on();
    loop.run_one();
    runs_on();
    loop.poll();
    runs_on();
    loop.run();
    asio::post(loop, [] {});
    loop.run(); // stopped, so that it does nothing; it does not say that somebody stopped the loop
    runs_on();
    loops::run_loop(loop);
    runs_on();
}

BOOST_AUTO_TEST_CASE(run_forever_goes_on_after_an_exception_that_took_the_last_work)
{
    event_loop loop;
    asio::post(loop, [] { throw std::runtime_error("out"); });
    BOOST_CHECK_THROW(loop.run_forever(), std::runtime_error);
    bool ran = false;
    asio::post(loop, [&] {
        ran = true;
        loop.request_stop();
    });
    loop.run_forever();
    BOOST_TEST(ran);
}

BOOST_AUTO_TEST_CASE(a_stop_sticks_whether_there_is_work_or_not)
{
    event_loop loop;
    asio::io_context& base = loop;
    bool ran = false;
    asio::post(loop, [&] { base.stop(); });
    asio::post(loop, [&] { ran = true; });
    loop.run();
    loop.run_forever();
    BOOST_TEST(loop.stopped());
    BOOST_TEST(!ran);
    loop.restart();
    asio::post(loop, [&] { loop.stop(); }); // the last handler
    loop.run();
    BOOST_TEST(ran);
    loop.run_forever();
    BOOST_TEST(loop.stopped());
    loop.restart();
    loop.run(); // out of work
    loop.stop();
    loop.run_forever();
    BOOST_TEST(loop.stopped());
}

BOOST_AUTO_TEST_CASE(a_policy_runs_a_loop_that_ran_out_of_work)
{
    asio::io_context adopted;
    const auto policies = {
        std::shared_ptr<loops::event_loop_policy>(std::make_shared<loops::default_policy>()),
        std::shared_ptr<loops::event_loop_policy>(std::make_shared<loops::shared_policy>(1))};
    for (const auto& policy : policies)
    {
        policy->set_event_loop(&adopted);
        loops::run_loop(adopted);
        BOOST_TEST(adopted.stopped());
        std::atomic<bool> ran{false};
        asio::post(adopted, [&] {
            ran = true;
            policy->stop();
        });
        policy->run();
        BOOST_TEST(ran);
    }
}

BOOST_AUTO_TEST_CASE(run_forever_survives_the_end_of_the_policy_and_its_loop)
{
    auto policy = std::make_shared<loops::default_policy>();
    auto& loop = static_cast<event_loop&>(policy->get_event_loop());
    const std::weak_ptr<loops::event_loop_policy> watched = policy;
    asio::post(loop, [&] {
        policy.reset();
        loop.request_stop();
    });
    loop.run_forever();
    BOOST_TEST(watched.expired());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(runners)

BOOST_AUTO_TEST_CASE(all_leftovers_are_waited_for_and_the_value_is_kept)
{
    bool ended = false;
    const int value = loops::run([&] {
        spawn_sleeper(asio::detached);
        spawn_slow_to_end(ended, asio::detached);
        spawn_sleeper(asio::detached);
        stop_soon();
        return 42;
    });
    BOOST_TEST(value == 42);
    BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(exceptions_of_leftovers_are_rethrown_when_all_have_ended)
{
    bool ended = false;
    const auto main = [&] {
        spawn_thrower("first");
        spawn_slow_to_end(ended, asio::detached);
        spawn_thrower("second");
        spawn_sleeper(asio::detached);
        stop_soon();
    };
    BOOST_TEST(what_is_thrown([&] { loops::run(main); }) == "first");
    BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(the_main_tasks_own_exception_comes_first)
{
    const auto main = [&] {
        spawn_thrower("leftover");
        stop_soon();
        throw std::runtime_error("main");
    };
    BOOST_TEST(what_is_thrown([&] { loops::run(main); }) == "main");
}

BOOST_AUTO_TEST_CASE(an_abort_that_no_runner_asked_for_is_an_error)
{
    const auto main = [] {
        loops::spawn(
            running_loop().get_executor(), [](auto) {}, asio::detached);
    };
    check_error([&] { loops::run(main); }, asio::error::operation_aborted);
}

BOOST_AUTO_TEST_CASE(a_leftover_that_stops_the_loop_is_waited_for_all_the_same)
{
    bool ended = false;
    bool told = false;
    loops::run([&] {
        event_loop& loop = running_loop();
        spawn_sleeper([&](const std::exception_ptr&) {
            told = true;
            loop.stop();
        });
        spawn_slow_to_end(ended, asio::detached);
        stop_soon();
    });
    BOOST_TEST(told);
    BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(a_leftover_may_end_on_another_thread)
{
    std::thread elsewhere;
    bool ended = false;
    loops::run([&] {
        auto waiting = std::make_shared<asio::steady_timer>(running_loop(), 1h);
        waiting->async_wait([waiting](loops::error_code) {}); // so that the loop goes on waiting
        auto timer = std::make_shared<asio::steady_timer>(running_loop(), 1h);
        loops::spawn(
            running_loop().get_executor(),
            [&, timer](auto done) {
                auto end = std::make_shared<decltype(done)>(std::move(done));
                timer->async_wait(asio::bind_cancellation_slot(
                    end->get_cancellation_slot(), [&, timer, end](loops::error_code) mutable {
                        elsewhere = std::thread([end = std::move(end)] { (*end)(); });
                    }));
            },
            [&](const std::exception_ptr&) { ended = true; });
        stop_soon();
    });
    elsewhere.join();
    BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(a_held_back_task_that_is_told_to_end_does_not_start)
{
    const auto policy = loops::get_event_loop_policy();
    auto held = std::make_shared<std::vector<loops::task>>();
    policy->set_task_factory([held](loops::task task) {
        auto* const loop = task.loop();
        held->push_back(std::move(task));
        // Starts it later than the main task ends.
        const auto start = [held, loop](auto again, int turns) -> void {
            if (turns > 0)
                asio::post(*loop, [again, turns] { again(again, turns - 1); });
            else
                held->back().start();
        };
        start(start, 10);
    });
    bool started = false;
    loops::error_code ended;
    loops::run([&] {
        loops::spawn(
            running_loop().get_executor(), [&](auto) { started = true; },
            [&](const std::exception_ptr& exception) {
                ended = test::error_of([&] { std::rethrow_exception(exception); });
            });
        running_loop().stop();
    });
    policy->set_task_factory({});
    BOOST_TEST(!started);
    BOOST_TEST((ended == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(closing_a_runner_ends_its_tasks_first)
{
    loops::runner runner;
    bool slow = false;
    int ended = 0;
    const auto count = [&](const std::exception_ptr&) { ++ended; };
    runner.run([&] { return &running_loop(); });
    asio::post(runner.get_loop(), [&] {
        spawn_sleeper(count);
        spawn_slow_to_end(slow, count);
    });
    loops::spawn(
        runner.get_loop().get_executor(), [](auto done) { done(); }, count);
    loops::poll_loop(runner.get_loop());
    runner.get_loop().restart();
    loops::poll_loop(runner.get_loop());
    runner.close();
    BOOST_TEST(ended == 3);
    BOOST_TEST(slow);
    runner.close();
}

BOOST_AUTO_TEST_CASE(a_runner_that_cannot_be_closed_stays_open)
{
    loops::runner runner;
    runner.run([&] {
        spawn_sleeper(asio::detached);
        check_error([&] { runner.close(); }, error::already_running);
        stop_soon();
    });
    BOOST_TEST(!runner.get_loop().is_closed());
    BOOST_TEST(runner.run([] { return 3; }) == 3);
}

BOOST_AUTO_TEST_CASE(a_call_whose_turn_did_not_come_is_not_made_up_for)
{
    loops::runner runner;
    bool called = false;
    asio::post(runner.get_loop(), [&] { runner.get_loop().stop(); });
    check_error([&] { runner.run([&] { called = true; }); }, asio::error::operation_aborted);
    BOOST_TEST(runner.run([] { return 5; }) == 5);
    BOOST_TEST(!called);
}

BOOST_AUTO_TEST_SUITE_END()

// A loop of this policy has a thread, but not where a runner runs it.
BOOST_AUTO_TEST_SUITE(under_a_threaded_policy)

BOOST_AUTO_TEST_CASE(the_caller_runs_the_loop_until_it_is_out_of_work)
{
    const loops::policy_scope scope(std::make_shared<loops::threaded_policy>());
    bool fired = false;
    std::thread::id ran_on;
    loops::run([&] {
        ran_on = std::this_thread::get_id();
        auto timer = std::make_shared<asio::steady_timer>(loops::get_event_loop(), 20ms);
        timer->async_wait([&fired, timer](loops::error_code ec) { fired = !ec; });
    });
    BOOST_TEST(fired);
    BOOST_TEST((ran_on == std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(leftovers_end)
{
    const loops::policy_scope scope(std::make_shared<loops::threaded_policy>());
    bool ended = false;
    loops::run([&] {
        spawn_sleeper(asio::detached);
        spawn_slow_to_end(ended, asio::detached);
        running_loop().request_stop();
    });
    BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(exceptions_of_other_handlers_come_out)
{
    const loops::policy_scope scope(std::make_shared<loops::threaded_policy>());
    loops::runner runner;
    const auto fail = [] {
        asio::post(loops::get_event_loop(), [] { throw std::runtime_error("handler"); });
    };
    BOOST_TEST(what_is_thrown([&] { runner.run(fail); }) == "handler");
    BOOST_TEST(runner.run([] { return 7; }) == 7);
}

namespace {

// A user's policy around another one.
class wrapping_policy : public loops::default_policy
{
public:
    std::unique_ptr<event_loop> new_event_loop() override { return inner_->new_event_loop(); }

private:
    const std::shared_ptr<loops::event_loop_policy> inner_ =
        std::make_shared<loops::threaded_policy>();
};

} // namespace

BOOST_AUTO_TEST_CASE(a_loop_that_came_with_a_thread_is_taken_from_it)
{
    const loops::policy_scope scope(std::make_shared<wrapping_policy>());
    BOOST_TEST((loops::run([] { return std::this_thread::get_id(); }) == //
                std::this_thread::get_id()));
}

BOOST_AUTO_TEST_SUITE_END()
