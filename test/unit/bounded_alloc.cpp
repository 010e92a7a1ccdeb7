// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What a bound costs in allocations, and what becomes of tasks where one fails.

#define BOOST_TEST_MODULE bounded_alloc
#include <loops/policy/bounded_policy.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/spawn.hpp>

#include "support/alloc/counted.hpp"
#include "support/skipped.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <thread>

using loops::event_loop;
using loops::policy_scope;

namespace {

bool can_count(const char* name)
{
    if (!test::counts_allocations())
        test::skipped(std::string("bounded_alloc/") + name, "cannot count here");
    return test::counts_allocations();
}

std::shared_ptr<loops::bounded_policy> bounded(std::size_t most_tasks, std::size_t most_waiting)
{
    return std::make_shared<loops::bounded_policy>(
        std::make_shared<loops::default_policy>(), most_tasks, most_waiting);
}

struct spawned_task
{
    int started = 0;
    int completed = 0;
    bool thrown = false; // by spawn()
};

void spawn(event_loop& loop, spawned_task& task)
{
    try
    {
        loops::spawn(
            loop.get_executor(),
            [&task](auto done) {
                ++task.started;
                done();
            },
            [&task](const std::exception_ptr&) { ++task.completed; });
    }
    catch (const std::bad_alloc&)
    {
        task.thrown = true;
    }
}

void turn(event_loop& loop)
{
    loop.restart();
    loop.poll();
}

// Calls `f` with one allocation refused; false where it did not come to that. On a thread of its own,
// since threads remember that they came to it.
template <class F>
bool with_refusal(long left, F f)
{
    bool came = false;
    std::thread([&] {
        const test::refused_allocation refuse(left);
        f();
        came = test::refused_allocation::came_to_it();
    }).join();
    return came;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_bound_costs_what_is_said_of_it)
{
    if (!can_count("a_bound_costs_what_is_said_of_it"))
        return;
    event_loop loop;
    spawned_task task;
    const auto count = [&] {
        const std::size_t before = test::allocations();
        spawn(loop, task);
        return test::allocations() - before;
    };
    std::size_t plain = 0;
    {
        const policy_scope scope(std::make_shared<loops::default_policy>());
        count(); // Asio keeps memory for reuse
        plain = count();
    }
    const policy_scope scope(bounded(3, 10));
    count(); // the first task on a loop
    count();
    BOOST_TEST(count() - plain == 3U);
    BOOST_TEST(count() - plain <= 5U); // which does not post yet
    turn(loop);
    BOOST_TEST(task.completed == 6);
}

BOOST_AUTO_TEST_CASE(a_spawn_that_gets_no_memory_loses_no_task_and_no_place)
{
    if (!can_count("a_spawn_that_gets_no_memory_loses_no_task_and_no_place"))
        return;
    for (const int before : {0, 1, 2}) // it starts, waits, is refused
    {
        bool came_to_it = true;
        for (long left = 0; came_to_it; ++left)
        {
            const auto policy = bounded(1, 1);
            const policy_scope scope(policy);
            event_loop loop;
            spawned_task others;
            for (int i = 0; i < before; ++i)
                spawn(loop, others);
            spawned_task task;
            came_to_it = with_refusal(left, [&] {
                const policy_scope here(policy);
                spawn(loop, task);
            });
            BOOST_REQUIRE(left < 100);
            turn(loop);
            BOOST_TEST(task.completed == (task.thrown ? 0 : 1));
            BOOST_TEST(others.completed == before);
            BOOST_TEST(policy->running(loop) == 0U);
            BOOST_TEST(policy->waiting(loop) == 0U);
            BOOST_TEST(loops::load_of(loop) == 0);
        }
    }
}

BOOST_AUTO_TEST_CASE(an_end_that_gets_no_memory_to_start_the_next_task_loses_none)
{
    if (!can_count("an_end_that_gets_no_memory_to_start_the_next_task_loses_none"))
        return;
    bool came_to_it = true;
    for (long left = 0; came_to_it; ++left)
    {
        const auto policy = bounded(1, 10);
        const policy_scope scope(policy);
        event_loop loop;
        std::function<void()> end;
        int first = 0;
        loops::spawn(
            loop.get_executor(),
            [&](auto done) {
                auto kept = std::make_shared<decltype(done)>(std::move(done));
                end = [kept] { (*kept)(); };
            },
            [&](const std::exception_ptr&) { ++first; });
        spawned_task waits;
        for (int i = 0; i < 3; ++i)
            spawn(loop, waits);
        turn(loop);
        came_to_it = with_refusal(left, [&] {
            try
            {
                end();
            }
            catch (const std::bad_alloc&)
            {
                ++first; // its own completion was the one without memory
            }
        });
        BOOST_REQUIRE(left < 100);
        turn(loop);
        BOOST_TEST(first == 1);
        BOOST_TEST(waits.completed == 3);
        BOOST_TEST(policy->running(loop) == 0U);
        BOOST_TEST(loops::load_of(loop) == 0);
    }
}
