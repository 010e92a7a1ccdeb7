// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE bounded_policy
#include <loops/policy/bounded_policy.hpp>
#include <loops/policy/default_policy.hpp>
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
#include <boost/asio/thread_pool.hpp>
#include <boost/test/unit_test.hpp>
#if defined(LOOPS_HAS_COROUTINES)
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#endif

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using loops::error;
using loops::event_loop;
using loops::policy_scope;
using test::bounded;
using test::check_error;
using test::code_of;
using test::numbered_tasks;

using numbers = std::vector<int>;

BOOST_AUTO_TEST_CASE(bad_input)
{
    const auto invalid = make_error_code(boost::system::errc::invalid_argument);
    check_error([] { bounded(0); }, invalid, "default");
    check_error([] { bounded(1, 1, nullptr); }, invalid, "null");
    const auto policy = bounded(3);
    BOOST_TEST(policy->name() == "bounded");
    BOOST_TEST(policy->most_tasks() == 3U);
    BOOST_TEST(policy->most_waiting() == loops::bounded_policy::default_most_waiting);
    asio::io_context unknown;
    BOOST_TEST(policy->running(unknown) == 0U);
    BOOST_TEST(policy->waiting(unknown) == 0U);
}

BOOST_AUTO_TEST_CASE(tasks_wait_in_order_and_a_full_queue_refuses)
{
    const auto policy = bounded(2, 3);
    const policy_scope scope(policy);
    event_loop loop;
    numbered_tasks all(loop);
    for (int i = 0; i < 6; ++i)
        all.spawn(i);
    BOOST_TEST(all.ended.empty()); // never inside of spawn()
    BOOST_TEST(policy->running(loop) == 2U);
    BOOST_TEST(policy->waiting(loop) == 3U);
    all.turn();
    BOOST_TEST(all.started == (numbers{0, 1}));
    BOOST_REQUIRE(all.ended.size() == 1U);
    BOOST_TEST(all.ended[0].first == 5);
    BOOST_TEST((all.ended[0].second == error::queue_full));
    for (int i = 0; i < 3; ++i)
    {
        all.end_one();
        BOOST_TEST(policy->running(loop) == 2U);
    }
    BOOST_TEST(all.started == (numbers{0, 1, 2, 3, 4}));
    all.spawn(6);
    all.end_one();
    all.end_one();
    all.end_one();
    BOOST_TEST(all.started.back() == 6);
    BOOST_TEST(all.ended.size() == 7U);
    BOOST_TEST(policy->running(loop) == 0U);
    BOOST_TEST(loops::load_of(loop) == 0);
    all.turn();
    BOOST_TEST(loop.stopped()); // nothing holds the loop any more
}

BOOST_AUTO_TEST_CASE(each_loop_has_places_of_its_own)
{
    const auto policy = bounded(1);
    const policy_scope scope(policy);
    event_loop one;
    event_loop other;
    numbered_tasks here(one);
    numbered_tasks there(other);
    here.spawn(0);
    here.spawn(1);
    there.spawn(0);
    here.turn();
    there.turn();
    BOOST_TEST(here.started == numbers{0});
    BOOST_TEST(there.started == numbers{0});
    BOOST_TEST(policy->waiting(one) == 1U);
    BOOST_TEST(policy->waiting(other) == 0U);
    here.end_one();
    here.end_one();
    there.end_one();
}

BOOST_AUTO_TEST_CASE(try_spawn_refuses_where_spawn_would_wait)
{
    const auto policy = bounded(1);
    const policy_scope scope(policy);
    event_loop loop;
    numbered_tasks all(loop);
    all.try_spawn(0);
    all.try_spawn(1);
    all.spawn(2);
    all.turn();
    BOOST_TEST(all.started == numbers{0});
    BOOST_REQUIRE(all.ended.size() == 1U);
    BOOST_TEST(all.ended[0].first == 1);
    BOOST_TEST((all.ended[0].second == error::queue_full));
    all.end_one();
    all.end_one();
    all.try_spawn(3);
    all.turn();
    all.end_one();
    BOOST_TEST(all.started == (numbers{0, 2, 3}));
}

BOOST_AUTO_TEST_CASE(a_cancelled_task_leaves_the_queue_at_once)
{
    const auto policy = bounded(1, 3);
    const policy_scope scope(policy);
    event_loop loop;
    numbered_tasks all(loop);
    asio::cancellation_signal cancel;
    all.spawn(0);
    all.spawn(1);
    all.spawn(2, [&](auto end) { return asio::bind_cancellation_slot(cancel.slot(), end); });
    all.spawn(3);
    all.turn();
    BOOST_TEST(policy->waiting(loop) == 3U);
    cancel.emit(asio::cancellation_type::total); // whatever the type
    BOOST_TEST(policy->waiting(loop) == 2U);
    BOOST_TEST(all.ended.empty());
    all.spawn(4); // in the place that became free
    all.turn();
    BOOST_REQUIRE(all.ended.size() == 1U);
    BOOST_TEST(all.ended[0].first == 2);
    BOOST_TEST((all.ended[0].second == asio::error::operation_aborted));
    while (all.ended.size() < 5)
        all.end_one();
    BOOST_TEST(all.started == (numbers{0, 1, 3, 4}));
}

BOOST_AUTO_TEST_CASE(a_signal_reaches_a_task_that_waited)
{
    const policy_scope scope(bounded(1));
    event_loop loop;
    numbered_tasks all(loop);
    all.spawn(0);
    asio::cancellation_signal cancel;
    asio::steady_timer timer(loop, std::chrono::hours(1));
    std::optional<loops::error_code> ended;
    loops::spawn(
        loop.get_executor(), [&](auto done) { timer.async_wait(std::move(done)); },
        asio::bind_cancellation_slot(cancel.slot(),
            [&](const std::exception_ptr& exception) { ended = code_of(exception); }));
    all.turn();
    all.end_one();
    BOOST_TEST(!ended.has_value());
    cancel.emit(asio::cancellation_type::terminal);
    all.turn();
    BOOST_REQUIRE(ended.has_value());
    BOOST_TEST((*ended == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(many_that_wait_and_end_at_once_do_not_nest)
{
    constexpr int count = 100000;
    const policy_scope scope(bounded(1, count));
    event_loop loop;
    int ended = 0;
    for (int i = 0; i < count; ++i)
        loops::spawn(
            loop.get_executor(), [](auto done) { done(); },
            [&](const std::exception_ptr& exception) { ended += exception ? 0 : 1; });
    loop.run();
    BOOST_TEST(ended == count);
}

BOOST_AUTO_TEST_CASE(many_that_are_refused_when_they_start_do_not_nest)
{
    constexpr int count = 100000;
    const auto inner = std::make_shared<loops::default_policy>();
    bool refuse = false;
    inner->set_task_factory([&](loops::task task) {
        if (refuse)
            task.refuse(error::queue_full);
        else
            task.start();
    });
    const policy_scope scope(bounded(1, count, inner));
    event_loop loop;
    numbered_tasks all(loop);
    all.spawn(0);
    int refused = 0;
    for (int i = 0; i < count; ++i)
        loops::spawn(
            loop.get_executor(), [](auto done) { done(); },
            [&](const std::exception_ptr& exception) {
                refused += code_of(exception) == error::queue_full ? 1 : 0;
            });
    all.turn();
    refuse = true;
    all.end_one();
    BOOST_TEST(refused == count);
}

BOOST_AUTO_TEST_CASE(what_is_let_start_goes_to_the_factory_behind)
{
    const auto inner = std::make_shared<loops::default_policy>();
    const auto policy = bounded(1, 10, inner);
    std::vector<loops::task> held;
    policy->set_task_factory([&](loops::task task) { held.push_back(std::move(task)); });
    const policy_scope scope(policy);
    event_loop loop;
    numbered_tasks all(loop);
    all.spawn(0);
    all.spawn(1);
    BOOST_TEST(held.size() == 1U);
    bool told = false;
    held[0].on_end([&] { told = true; });
    held[0].start();
    all.turn();
    BOOST_TEST(all.started == numbers{0});
    BOOST_TEST(held.size() == 1U);
    all.end_one();
    BOOST_TEST(told);
    BOOST_TEST(held.size() == 2U);
    held.clear(); // drops the second one, whose place is free then
    BOOST_TEST(policy->running(loop) == 0U);
    all.turn();
    BOOST_TEST((all.ended.back().second == asio::error::operation_aborted));
}

BOOST_AUTO_TEST_CASE(a_factory_behind_that_throws_harms_no_other_task)
{
    const auto inner = std::make_shared<loops::default_policy>();
    int calls = 0;
    inner->set_task_factory([&](loops::task task) {
        if (++calls == 2)
            throw std::runtime_error("dropped");
        task.start();
        if (calls == 3)
            throw std::runtime_error("passed on");
    });
    const policy_scope scope(bounded(1, 10, inner));
    event_loop loop;
    int beside = 0;
    loop.set_exception_handler([&](const std::exception_ptr&) { ++beside; });
    numbered_tasks all(loop);
    std::vector<std::string> said;
    all.spawn(0);
    loops::spawn(
        loop.get_executor(), [](auto) { BOOST_ERROR("started"); },
        [&](const std::exception_ptr& exception) {
            said.push_back(test::what_is_thrown([&] { std::rethrow_exception(exception); }));
        });
    all.spawn(2);
    all.spawn(3);
    all.turn();
    all.end_one();
    BOOST_TEST(said == std::vector<std::string>{"dropped"});
    BOOST_TEST(beside == 1);
    all.end_one();
    all.end_one();
    BOOST_TEST(all.started == (numbers{0, 2, 3}));
    BOOST_TEST(all.ended.size() == 3U);
}

namespace test {

// An executor that can be told to fail: what posts to it throws.
struct failing_executor
{
    asio::io_context::executor_type inner;
    const bool* fails;

    asio::execution_context& query(asio::execution::context_t) const noexcept
    {
        return inner.context();
    }
    static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept
    {
        return asio::execution::blocking.never;
    }
    failing_executor require(asio::execution::blocking_t::never_t) const { return *this; }

    template <class F>
    void execute(F f) const
    {
        if (*fails)
            throw std::runtime_error("no post");
        asio::post(inner, std::move(f));
    }

    friend bool operator==(const failing_executor& a, const failing_executor& b) noexcept
    {
        return a.inner == b.inner && a.fails == b.fails;
    }
    friend bool operator!=(const failing_executor& a, const failing_executor& b) noexcept
    {
        return !(a == b);
    }
};

} // namespace test

BOOST_AUTO_TEST_CASE(a_task_that_cannot_be_started_completes_with_why)
{
    event_loop loop;
    const bool fails = true;
    std::string said;
    loops::spawn(
        test::failing_executor{loop.get_executor(), &fails}, [](auto done) { done(); },
        asio::bind_executor(loop.get_executor(), [&](const std::exception_ptr& exception) {
            said = test::what_is_thrown([&] { std::rethrow_exception(exception); });
        }));
    loop.run();
    BOOST_TEST(said == "no post");
}

BOOST_AUTO_TEST_CASE(bounds_compose)
{
    // Two kinds of work, three tasks in all, of which two of the second kind.
    const auto outer = bounded(3, 10);
    const auto inner = bounded(2, 1, outer);
    event_loop loop;
    numbered_tasks plain(loop);
    numbered_tasks kind(loop);
    asio::cancellation_signal cancel;
    {
        const policy_scope scope(outer);
        plain.spawn(0);
        plain.spawn(1);
    }
    {
        const policy_scope scope(inner);
        kind.spawn(0);
        // Lets it through the first bound, but not through the second one.
        kind.spawn(1, [&](auto end) { return asio::bind_cancellation_slot(cancel.slot(), end); });
        kind.spawn(2);
        kind.spawn(3);
    }
    kind.turn();
    BOOST_TEST(kind.started == numbers{0});
    BOOST_TEST(inner->running(loop) == 2U);
    BOOST_TEST(inner->waiting(loop) == 1U);
    BOOST_TEST(outer->waiting(loop) == 1U);
    BOOST_TEST((kind.ended[0].second == error::queue_full));
    cancel.emit(asio::cancellation_type::terminal);
    // The first one's place is the second one's now, which waits for the other bound.
    BOOST_TEST(inner->waiting(loop) == 0U);
    BOOST_TEST(outer->waiting(loop) == 1U);
    kind.turn();
    BOOST_TEST(kind.ended.size() == 2U);
    plain.end_one();
    BOOST_TEST(kind.started == (numbers{0, 2}));
    plain.end_one();
    kind.end_one();
    kind.end_one();
    BOOST_TEST(outer->running(loop) + inner->running(loop) == 0U);
}

BOOST_AUTO_TEST_CASE(tasks_of_no_loop_are_not_bounded)
{
    const policy_scope scope(bounded(1, 0));
    asio::thread_pool elsewhere(1);
    test::latch ended(3);
    std::atomic<int> failed{0};
    for (int i = 0; i < 3; ++i)
        loops::spawn(
            elsewhere.get_executor(), [](auto done) { done(); },
            [&](const std::exception_ptr& exception) {
                failed += exception ? 1 : 0;
                ended.count_down();
            });
    BOOST_TEST(ended.wait());
    BOOST_TEST(failed == 0);
    elsewhere.join();
}

#if defined(LOOPS_HAS_COROUTINES)

namespace {

asio::awaitable<int> give_later(int value)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    co_return value;
}

} // namespace

BOOST_AUTO_TEST_CASE(coroutines_wait_in_order)
{
    const policy_scope scope(bounded(1));
    numbers order;
    const auto task = [](numbers& to, int number) -> asio::awaitable<int> {
        to.push_back(co_await give_later(number));
        co_return number;
    };
    const auto main = [&]() -> asio::awaitable<int> {
        for (int i = 0; i < 3; ++i)
            loops::spawn(task(order, i), asio::detached);
        co_return co_await give_later(7);
    };
    event_loop loop;
    int value = 0;
    // Not under the bound: it would be the one task that runs.
    asio::co_spawn(loop, main(), [&](const std::exception_ptr&, int given) { value = given; });
    loops::set_event_loop(loop);
    loop.run();
    loops::set_event_loop(nullptr);
    BOOST_TEST(value == 7);
    BOOST_TEST(order == (numbers{0, 1, 2}));
}

BOOST_AUTO_TEST_CASE(a_waiting_coroutine_is_cancelled)
{
    const auto policy = bounded(1);
    const policy_scope scope(policy);
    event_loop loop;
    numbered_tasks all(loop);
    all.spawn(0);
    asio::cancellation_signal cancel;
    std::optional<loops::error_code> ended;
    auto alive = std::make_shared<int>(0);
    const std::weak_ptr<int> watched = alive;
    const auto task = [](std::shared_ptr<int>) -> asio::awaitable<int> {
        BOOST_ERROR("started");
        co_return co_await give_later(0);
    };
    loops::spawn(loop.get_executor(), task(std::move(alive)),
        asio::bind_cancellation_slot(cancel.slot(), [&](const std::exception_ptr& exception, int) {
            BOOST_TEST(watched.expired());
            ended = code_of(exception);
        }));
    all.turn();
    BOOST_TEST(policy->waiting(loop) == 1U);
    cancel.emit(asio::cancellation_type::partial);
    BOOST_TEST(policy->waiting(loop) == 0U);
    all.turn();
    BOOST_REQUIRE(ended.has_value());
    BOOST_TEST((*ended == asio::error::operation_aborted));
    all.end_one();
}

BOOST_AUTO_TEST_CASE(tasks_that_need_others_go_on_by_try_spawn)
{
    const policy_scope scope(bounded(2));
    event_loop loop;
    int answered = 0;
    const auto answer = [](int number) -> asio::awaitable<int> {
        const auto [failure, found] = co_await loops::try_spawn(co_await asio::this_coro::executor,
            give_later(number), asio::as_tuple(asio::use_awaitable));
        if (!failure)
            co_return found;
        BOOST_TEST((code_of(failure) == error::queue_full));
        co_return co_await give_later(number);
    };
    for (int i = 0; i < 4; ++i)
        loops::spawn(
            loop.get_executor(), answer(i), [&](const std::exception_ptr& exception, int value) {
                answered += exception ? 100 : value;
            });
    loop.run();
    BOOST_TEST(answered == 0 + 1 + 2 + 3);
}

#endif
