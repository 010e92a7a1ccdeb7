// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What becomes of waiting tasks when runners, loops and policies end; and bounds under threads.

#define BOOST_TEST_MODULE bounded_policy_ends
#include <loops/loop_local.hpp>
#include <loops/policy/bounded_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/run.hpp>
#include <loops/spawn.hpp>

#include "support/bounded.hpp"
#include "support/error_check.hpp"
#include "support/latch.hpp"
#include "support/tasks.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using loops::error;
using loops::event_loop;
using loops::policy_scope;
using test::bounded;
using test::code_of;
using test::numbered_tasks;

using numbers = std::vector<int>;

BOOST_AUTO_TEST_CASE(a_finishing_runner_ends_what_waits)
{
    const auto policy = bounded(1);
    const policy_scope scope(policy);
    int aborted = 0;
    const auto count = [&](const std::exception_ptr& exception) {
        aborted += code_of(exception) == asio::error::operation_aborted ? 1 : 100;
    };
    loops::run([&] {
        for (int i = 0; i < 3; ++i)
            test::spawn_sleeper(count);
        test::spawn_sleeper(asio::detached); // which has nothing to say of that
        BOOST_TEST(policy->waiting(test::running_loop()) == 3U);
        test::stop_soon();
    });
    BOOST_TEST(aborted == 3);
}

BOOST_AUTO_TEST_CASE(what_waits_ends_with_its_loop)
{
    const auto policy = bounded(1);
    const policy_scope scope(policy);
    event_loop other;
    std::vector<loops::error_code> told;
    auto alive = std::make_shared<int>(0);
    const std::weak_ptr<int> watched = alive;
    for (const bool close : {true, false})
    {
        // The first one's `done` outlives the loop.
        std::optional<event_loop> loop(std::in_place);
        numbered_tasks all(*loop);
        std::function<void()> first;
        loops::spawn(
            loop->get_executor(),
            [&](auto done) {
                auto kept = std::make_shared<decltype(done)>(std::move(done));
                first = [kept] {};
            },
            [alive](const std::exception_ptr&) {});
        loops::spawn(
            loop->get_executor(), [alive](auto) { BOOST_ERROR("started"); },
            [alive](const std::exception_ptr&) { BOOST_ERROR("completed"); });
        loops::spawn(
            loop->get_executor(), [alive](auto) { BOOST_ERROR("started"); },
            asio::bind_executor(
                other.get_executor(), [&told, alive](const std::exception_ptr& exception) {
                    told.push_back(code_of(exception));
                }));
        all.turn();
        BOOST_TEST(policy->waiting(*loop) == 2U);
        if (close)
            loop->close();
        first = nullptr;
        if (close)
            BOOST_TEST(policy->waiting(*loop) == 0U);
        loop.reset();
    }
    alive.reset();
    other.run();
    BOOST_REQUIRE(told.size() == 2U);
    BOOST_TEST((told[0] == error::loop_closed));
    BOOST_TEST(watched.expired());
}

BOOST_AUTO_TEST_CASE(a_closed_policy_ends_what_waits_on_its_loops_only)
{
    const auto policy = bounded(1, 10, std::make_shared<loops::pool_policy>(2));
    const policy_scope scope(policy);
    event_loop own;
    numbered_tasks all(own);
    all.spawn(0);
    all.spawn(1);
    asio::io_context& of_pool = policy->select_event_loop();
    auto alive = std::make_shared<int>(0);
    const std::weak_ptr<int> watched = alive;
    test::latch inside;
    auto timer = std::make_shared<asio::steady_timer>(of_pool, std::chrono::hours(1));
    loops::spawn(
        of_pool.get_executor(),
        [&inside, timer](auto done) {
            timer->async_wait([timer, done = std::move(done)](
                                  loops::error_code ec) mutable { std::move(done)(ec); });
            inside.count_down();
        },
        [alive](const std::exception_ptr&) {});
    timer.reset(); // it goes with its loop
    for (int i = 0; i < 3; ++i)
        loops::spawn(
            of_pool.get_executor(), [alive](auto) {}, [alive](const std::exception_ptr&) {});
    BOOST_TEST(inside.wait());
    BOOST_TEST(policy->waiting(of_pool) == 3U);
    alive.reset();
    policy->close();
    BOOST_TEST(watched.expired());
    all.turn();
    all.end_one();
    all.end_one();
    BOOST_TEST(all.started == (numbers{0, 1}));
}

BOOST_AUTO_TEST_CASE(what_waits_keeps_no_policy_and_no_loop)
{
    auto policy = bounded(1, 10, std::make_shared<loops::pool_policy>(1));
    const std::weak_ptr<loops::event_loop_policy> watched = policy;
    const std::weak_ptr<loops::event_loop_policy> inner = policy->inner();
    event_loop own;
    numbered_tasks all(own);
    auto alive = std::make_shared<int>(0);
    const std::weak_ptr<int> task = alive;
    {
        const policy_scope scope(policy);
        all.spawn(0);
        all.spawn(1);
        for (int i = 0; i < 2; ++i)
            loops::spawn(
                loops::get_executor(), [alive](auto) {}, [alive](const std::exception_ptr&) {});
    }
    alive.reset();
    policy.reset();
    BOOST_TEST(watched.expired());
    BOOST_TEST(inner.expired());
    BOOST_TEST(task.expired());
    all.turn();
    all.end_one(); // the bound holds on
    BOOST_TEST(all.started == (numbers{0, 1}));
    all.end_one();
}

BOOST_AUTO_TEST_CASE(a_detached_task_that_waited_throws_into_on_exception)
{
    const auto policy = bounded(1, 1, std::make_shared<loops::pool_policy>(1));
    std::mutex mutex;
    std::vector<std::string> said;
    test::latch two(2);
    policy->on_exception(loops::exception_action::call([&](const std::exception_ptr& exception) {
        const std::lock_guard lock(mutex);
        said.push_back(test::what_is_thrown([&] { std::rethrow_exception(exception); }));
        two.count_down();
    }));
    const policy_scope scope(policy);
    asio::io_context& loop = loops::select_event_loop();
    test::latch let;
    asio::post(loop, [&] { let.wait(); });
    loops::spawn(
        loop.get_executor(), [](auto done) { done(); }, asio::detached);
    loops::spawn(
        loop.get_executor(), [](auto) { throw std::runtime_error("waited"); }, asio::detached);
    loops::spawn(
        loop.get_executor(), [](auto done) { done(); }, asio::detached);
    let.count_down();
    BOOST_TEST(two.wait());
    const std::lock_guard lock(mutex);
    BOOST_TEST(said[0].find("queue") != std::string::npos);
    BOOST_TEST(said[1] == "waited");
}

namespace {

// Spawns from several threads, with some cancelled, ended on the loop or elsewhere.
void flood(const std::shared_ptr<loops::event_loop_policy>& inner, std::size_t most_tasks)
{
    constexpr std::size_t spawners = 3;
    constexpr std::size_t each = 400;
    const auto policy = bounded(most_tasks, spawners * each, inner);
    policy->start();
    asio::thread_pool elsewhere(1);
    struct at_loop
    {
        std::atomic<std::size_t> running{0};
    };
    loops::loop_local<at_loop> counts;
    std::atomic<std::size_t> too_many{0};
    std::atomic<std::size_t> completed{0};
    std::atomic<std::size_t> aborted{0};
    test::latch all(spawners * each);
    const auto spawn_all = [&] {
        const policy_scope scope(policy);
        for (std::size_t i = 0; i < each; ++i)
        {
            asio::io_context& loop = loops::select_event_loop();
            at_loop& count = counts.get(loop);
            auto cancel = std::make_shared<asio::cancellation_signal>();
            const auto on = asio::make_strand(loop);
            loops::spawn(
                on,
                [&, i](auto done) {
                    if (++count.running > most_tasks)
                        ++too_many;
                    auto kept = std::make_shared<decltype(done)>(std::move(done));
                    const auto end = [&count, kept] {
                        --count.running;
                        (*kept)();
                    };
                    if (i % 3 == 0)
                        asio::post(elsewhere, end);
                    else if (i % 3 == 1)
                        asio::post(loops::get_running_loop(), end);
                    else
                        end();
                },
                asio::bind_cancellation_slot(cancel->slot(),
                    asio::bind_executor(on, [&, cancel](const std::exception_ptr& exception) {
                        ++completed;
                        aborted += code_of(exception) == asio::error::operation_aborted ? 1 : 0;
                        all.count_down();
                    })));
            if (i % 5 == 0)
                asio::post(on, [weak = std::weak_ptr(cancel)] {
                    if (const auto alive = weak.lock())
                        alive->emit(asio::cancellation_type::terminal);
                });
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < spawners; ++i)
        threads.emplace_back(spawn_all);
    for (auto& thread : threads)
        thread.join();
    BOOST_TEST(all.wait());
    elsewhere.join();
    BOOST_TEST(too_many == 0U);
    BOOST_TEST(completed == spawners * each);
    BOOST_TEST(aborted <= spawners * each / 5);
    policy->stop();
    policy->join();
}

} // namespace

BOOST_AUTO_TEST_CASE(the_bound_holds_on_a_pool_of_threads)
{
    flood(std::make_shared<loops::pool_policy>(2), 3);
}

BOOST_AUTO_TEST_CASE(the_bound_holds_on_a_loop_of_several_threads)
{
    flood(std::make_shared<loops::shared_policy>(3), 2);
}

BOOST_AUTO_TEST_CASE(policies_come_and_go_over_one_loop)
{
    event_loop loop;
    numbered_tasks all(loop);
    int next = 0;
    for (int i = 0; i < 3; ++i)
    {
        const policy_scope scope(bounded(1));
        all.spawn(next++);
        all.spawn(next++);
    }
    all.turn();
    BOOST_TEST(all.started == (numbers{0, 2, 4}));
    while (all.ended.size() < 6)
        all.end_one();
    BOOST_TEST(all.started == (numbers{0, 2, 4, 1, 3, 5}));
}

BOOST_AUTO_TEST_CASE(it_becomes_the_policy_of_the_process_and_goes_again)
{
    const auto before = loops::get_event_loop_policy();
    event_loop loop;
    numbered_tasks all(loop);
    const auto policy = bounded(1, 10, before);
    loops::set_event_loop_policy(policy);
    all.spawn(0);
    all.spawn(1);
    BOOST_TEST(policy->waiting(loop) == 1U);
    loops::set_event_loop_policy(before);
    all.spawn(2);
    all.turn();
    BOOST_TEST(all.started == (numbers{0, 2}));
    all.end_one();
    all.end_one();
    all.end_one();
    BOOST_TEST(all.started == (numbers{0, 2, 1}));
}
