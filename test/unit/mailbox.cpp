// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE mailbox
#include <loops/async_invoke.hpp>
#include <loops/detail/batch_limit.hpp>
#include <loops/event_loop.hpp>
#include <loops/parking.hpp>

#include "support/forked.hpp"
#include "support/latch.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using loops::event_loop;

namespace {

// How many items a batch has that takes so long for each, and how often it looked at the clock.
std::pair<std::size_t, int> batch_of(std::chrono::nanoseconds each)
{
    using limit_type = loops::detail::batch_limit;
    limit_type::time_point time;
    int looks = 0;
    limit_type limit(time);
    for (std::size_t items = 1;; ++items)
    {
        time += std::chrono::duration_cast<limit_type::time_point::duration>(each);
        if (limit.reached([&] {
                ++looks;
                return time;
            }))
            return {items, looks};
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(a_batch_ends_by_its_items_or_its_time)
{
    using std::chrono::microseconds;
    using result = std::pair<std::size_t, int>;
    BOOST_TEST((batch_of(microseconds(0)) == result(256, 8)));
    BOOST_TEST((batch_of(microseconds(1)) == result(128, 8)));
    BOOST_TEST((batch_of(microseconds(30)) == result(4, 3)));
    BOOST_TEST((batch_of(microseconds(99)) == result(2, 2)));
    BOOST_TEST((batch_of(microseconds(100)) == result(1, 1)));
}

BOOST_AUTO_TEST_CASE(a_flood_of_calls_runs_in_order_in_few_handlers)
{
    constexpr int count = 1000;
    event_loop here;
    event_loop there;
    std::vector<int> called;
    int ended = 0;
    const auto flood = [&] {
        for (int i = 0; i < count; ++i)
            loops::async_invoke(
                there, [&, i] { called.push_back(i); },
                asio::bind_executor(
                    here.get_executor(), [&](const std::exception_ptr&) { ++ended; }));
    };
    flood();
    std::size_t before = 0; // calls, when a handler that comes later has its turn
    asio::post(there, [&] { before = called.size(); });
    std::size_t handlers = 0;
    while (there.poll_one() == 1)
        ++handlers;
    BOOST_TEST(called.size() == std::size_t(count));
    BOOST_TEST(std::is_sorted(called.begin(), called.end()));
    // How many there are is up to the clock: see the limit's own case.
    BOOST_TEST(handlers < std::size_t(count));
    BOOST_TEST(before < std::size_t(count));
    BOOST_TEST(ended == 0);
    BOOST_TEST(here.run() < std::size_t(count));
    BOOST_TEST(ended == count);
}

BOOST_AUTO_TEST_CASE(calls_that_take_long_give_way_to_other_handlers_one_by_one)
{
    event_loop there;
    int called = 0;
    const auto slow = [&] {
        ++called;
        const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(500);
        while (std::chrono::steady_clock::now() < end)
            ;
    };
    for (int i = 0; i < 3; ++i)
        loops::async_invoke(there, slow, asio::detached);
    for (int i = 1; i <= 3; ++i)
    {
        there.poll_one();
        BOOST_TEST(called == i);
    }
}

BOOST_AUTO_TEST_CASE(an_exception_of_one_completion_loses_no_other)
{
    event_loop here;
    event_loop there;
    int ended = 0;
    for (int i = 0; i < 10; ++i)
        loops::async_invoke(
            there, [] {}, asio::bind_executor(here.get_executor(), [&](const std::exception_ptr&) {
                if (++ended == 3)
                    throw std::runtime_error("of the third");
            }));
    there.run();
    BOOST_CHECK_THROW(here.run(), std::runtime_error);
    BOOST_TEST(ended == 3);
    here.run();
    BOOST_TEST(ended == 10);
}

BOOST_AUTO_TEST_CASE(a_stop_among_calls_takes_effect_at_once)
{
    event_loop there;
    int called = 0;
    for (int i = 0; i < 10; ++i)
        loops::async_invoke(
            there,
            [&] {
                if (++called == 3)
                    there.stop();
            },
            asio::detached);
    there.run();
    BOOST_TEST(called == 3);
    there.restart();
    there.run();
    BOOST_TEST(called == 10);
}

BOOST_AUTO_TEST_CASE(a_request_to_stop_comes_after_all_calls_that_wait)
{
    event_loop there;
    int called = 0;
    for (int i = 0; i < 1000; ++i)
        loops::async_invoke(
            there, [&] { ++called; }, asio::detached);
    there.request_stop();
    there.run_forever();
    BOOST_TEST(called == 1000);
    // The same from inside, with calls that go on and on.
    std::function<void()> again = [&] {
        ++called;
        loops::async_invoke(
            there, [&] { again(); }, asio::detached);
    };
    again();
    asio::post(there, [&] { there.request_stop(); });
    there.run_forever();
    BOOST_TEST(called > 1000);
}

BOOST_AUTO_TEST_CASE(a_call_may_run_the_loop_until_one_behind_it_has_run)
{
    event_loop there;
    bool second = false;
    int order = 0;
    loops::async_invoke(
        there,
        [&] {
            asio::io_context& plain = there;
            while (!second)
                BOOST_REQUIRE(plain.run_one() == 1U);
            order = order * 10 + 1;
        },
        asio::detached);
    loops::async_invoke(
        there,
        [&] {
            second = true;
            order = order * 10 + 2;
        },
        asio::detached);
    loops::async_invoke(
        there, [&] { order = order * 10 + 3; }, asio::detached);
    there.run();
    BOOST_TEST((order == 213 || order == 231));
}

BOOST_AUTO_TEST_CASE(calls_run_beside_each_other_where_threads_share_the_loop)
{
    event_loop there;
    auto work = asio::make_work_guard(there);
    std::thread one([&] { there.run(); });
    std::thread two([&] { there.run(); });
    test::latch second;
    test::latch both(2);
    std::atomic<bool> met{false};
    asio::post(there, [&] { // both wait at one time, so that one batch has them
        loops::async_invoke(
            there,
            [&] {
                met = second.wait();
                both.count_down();
            },
            asio::detached);
        loops::async_invoke(
            there,
            [&] {
                second.count_down();
                both.count_down();
            },
            asio::detached);
    });
    BOOST_TEST(both.wait());
    BOOST_TEST(met);
    work.reset();
    one.join();
    two.join();
}

BOOST_AUTO_TEST_CASE(many_threads_call_and_each_has_its_order_kept)
{
    constexpr int producers = 4;
    constexpr int count = 2000;
    event_loop there;
    std::vector<int> last(producers, -1);
    bool ordered = true;
    int called = 0;
    std::atomic<int> ended{0};
    std::vector<std::thread> threads;
    auto work = std::make_optional(asio::make_work_guard(there));
    std::thread runner([&] { there.run(); });
    for (int p = 0; p < producers; ++p)
    {
        threads.emplace_back([&, p] {
            event_loop here;
            asio::post(here, [&, p] {
                for (int i = 0; i < count; ++i)
                    loops::async_invoke(
                        there,
                        [&, p, i] {
                            ordered = ordered && std::exchange(last[std::size_t(p)], i) == i - 1;
                            ++called;
                        },
                        [&](const std::exception_ptr& failure) { ended += failure ? 0 : 1; });
            });
            here.run(); // and gone as soon as the last completion has run
        });
    }
    for (auto& each : threads)
        each.join();
    BOOST_TEST(ended == producers * count);
    work.reset();
    runner.join();
    BOOST_TEST(ordered);
    BOOST_TEST(called == producers * count);
}

BOOST_AUTO_TEST_CASE(calls_and_completions_that_wait_die_with_their_loops_in_any_order)
{
    auto owned = std::make_shared<int>(1);
    for (const bool caller_first : {true, false})
    {
        auto here = std::make_unique<event_loop>();
        auto there = std::make_unique<event_loop>();
        asio::post(*here, [&] {
            for (int i = 0; i < 3; ++i)
                loops::async_invoke(
                    *there, [owned] {}, [owned](const std::exception_ptr&) {});
            loops::async_invoke(
                *here, [owned] {}, [owned](const std::exception_ptr&) {});
        });
        here->poll_one();
        if (caller_first)
            here.reset();
        there.reset();
        here.reset();
        BOOST_TEST(owned.use_count() == 1);
    }
}

BOOST_AUTO_TEST_CASE(parked_loops_deliver_nothing_and_a_forked_child_delivers_what_waits)
{
    event_loop there("there");
    std::atomic<int> called{0};
    std::function<void()> again = [&] {
        ++called;
        loops::async_invoke(
            there, [&] { again(); }, asio::detached);
        loops::async_invoke(
            there, [] {}, asio::detached); // batches of more than one
    };
    asio::post(there, again);
    std::thread runner([&] { there.run(); });
    BOOST_REQUIRE(test::eventually([&] { return called > 100; }));
    int code = -1;
    {
        std::optional<loops::parking> parked(std::in_place);
        const int before = called;
        using context = asio::execution_context;
        loops::notify_fork(context::fork_prepare);
        code = test::in_forked_child([&] {
            loops::notify_fork(context::fork_child);
            parked.reset();
            while (called < before + 1000)
            {
                if (there.poll_one() == 0)
                    return 1;
            }
            return 0;
        });
        loops::notify_fork(context::fork_parent);
        BOOST_TEST(called == before);
    }
    const int after = called;
    BOOST_TEST(test::eventually([&] { return called > after + 1000; }));
    there.stop();
    runner.join();
    BOOST_TEST(code == 0);
}
