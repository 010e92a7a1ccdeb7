// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE policy_fork
#include <loops/backend.hpp>
#include <loops/event_loop.hpp>
#include <loops/lease.hpp>
#include <loops/parking.hpp>

#include "contract/policy_suite.hpp"
#include "support/arguments.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"
#include "support/skipped.hpp"

#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <optional>
#include <string>
#include <thread>

#include <unistd.h>

namespace asio = boost::asio;
using loops::event_loop;
using loops::policy_scope;

namespace {

// Ends a forked child that hangs.
constexpr unsigned most_seconds = 60;

template <class Check>
int in_child(Check check)
{
    return test::in_forked_child([&] {
        ::alarm(most_seconds);
        return check();
    });
}

// Whether work that a policy is given runs, whoever has to run it.
bool works(const test::policy_kind& kind, loops::event_loop_policy& policy)
{
    test::latch ran;
    policy.start();
    asio::io_context& loop = policy.select_event_loop();
    asio::post(loop, [&] {
        ran.count_down();
        if (kind.run_by_caller)
            policy.stop();
    });
    if (kind.run_by_caller)
        policy.run();
    const bool came = ran.wait();
    policy.stop();
    policy.join();
    return came;
}

} // namespace

LOOPS_POLICY_CASE(nothing_of_the_parents_is_current)
{
    const auto policy = kind.make();
    policy->start();
    const asio::io_context* const inherited = &policy->get_event_loop();
    event_loop loop;
    int code = -2;
    asio::post(loop, [&] {
        code = in_child([&] {
            if (loops::try_get_running_loop() == &loop || loop.is_running())
                return 1;
            policy->stop();
            policy->join();
            if (policy->existing_event_loop() != nullptr)
                return 2;
            const policy_scope scope(policy);
            return &loops::get_event_loop() == inherited ? 3 : 0;
        });
    });
    loop.run();
    BOOST_TEST(code == 0);
}

LOOPS_POLICY_CASE(the_childs_copy_works)
{
    if (!kind.run_by_caller && test::no_threads_in_child("the_childs_copy_works/" + kind.name))
        return;
    const auto policy = kind.make();
    policy->start();
    policy->select_event_loop();
    const int code = in_child([&] {
        const bool worked = works(kind, *policy);
        policy->close();
        return worked ? 0 : 1;
    });
    BOOST_TEST(code == 0);
    BOOST_TEST(works(kind, *policy)); // nor has the parent's suffered
}

LOOPS_POLICY_CASE(the_childs_copy_is_closed)
{
    const auto policy = kind.make();
    policy->start();
    policy->get_event_loop();
    test::latch inside;
    if (!kind.run_by_caller) // whose loop is run by nobody now
    {
        asio::post(policy->select_event_loop(), [&] { inside.count_down(); });
        BOOST_REQUIRE(inside.wait());
    }
    const int code = in_child([&] {
        policy->close();
        return policy->is_closed() ? 0 : 1;
    });
    BOOST_TEST(code == 0);
    BOOST_TEST(!policy->is_closed());
}

LOOPS_POLICY_CASE(the_childs_copy_is_destroyed)
{
    auto policy = kind.make();
    policy->start();
    policy->get_event_loop();
    auto loop = policy->new_event_loop();
    if (loops::backend() == loops::backend_type::io_uring && loop->is_running())
    {
        return test::skipped("the_childs_copy_is_destroyed/" + kind.name,
            "with io_uring, Asio's loop shares its ring with the parent's thread that runs it");
    }
    // Where a thread of the parent's runs the loop, what it is inside of just now would be inherited.
    std::optional<loops::parking> parked(std::in_place);
    const int code = in_child([&] {
        parked.reset();
        loop.reset();
        policy.reset();
        return 0;
    });
    parked.reset();
    BOOST_TEST(code == 0);
}

// What exit() does in a child that did not mean to leave by _exit().
LOOPS_POLICY_CASE(the_child_exits)
{
    const std::string helper = test::helper_path("exit_in_child");
    const int code = in_child([&] {
        ::execl(helper.c_str(), helper.c_str(), kind.name.c_str(), nullptr);
        return 99;
    });
    BOOST_TEST(code == 7);
}

LOOPS_POLICY_CASE(a_scope_stays)
{
    const auto outer = kind.make();
    const auto inner = kind.make();
    const policy_scope outer_scope(outer);
    int code = -2;
    {
        const policy_scope inner_scope(inner);
        code = in_child([&] { return loops::get_event_loop_policy() == inner ? 0 : 1; });
    }
    BOOST_TEST(code == 0);
    BOOST_TEST((loops::get_event_loop_policy() == outer));
}

// Threads that are inside of Loops at the moment of the fork hold its mutexes; in the child they
// are not there to let go.
LOOPS_POLICY_CASE(while_other_threads_use_it)
{
    if (test::no_fork_beside_busy_threads("while_other_threads_use_it/" + kind.name))
        return;
    const auto policy = kind.make();
    policy->start();
    asio::io_context& selected = policy->select_event_loop();
    std::atomic<bool> end{false};
    const auto use = [&] {
        const policy_scope scope(policy);
        asio::io_context own;
        while (!end)
        {
            policy->get_task_factory();
            loops::try_get_running_loop();
            const loops::lease counted(selected, 1);
            if (!kind.one_for_all_threads)
                loops::set_event_loop(own);
        }
        if (!kind.one_for_all_threads)
            loops::set_event_loop(nullptr);
    };
    std::thread first(use);
    std::thread second(use);
    int wrong = 0;
    for (int i = 0; i < 30; ++i)
    {
        wrong += in_child([&] {
            policy->get_task_factory();
            policy->stop();
            event_loop loop;
            asio::post(loop, [] {});
            loop.run();
            policy->close();
            return 0;
        }) == 0
                     ? 0
                     : 1;
    }
    end = true;
    first.join();
    second.join();
    BOOST_TEST(wrong == 0);
}
