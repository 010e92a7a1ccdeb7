// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_waits

#include <loops/event_loop.hpp>

#include "support/child_watchers.hpp"
#include "support/error_check.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <stdexcept>
#include <tuple>

using namespace test;
using loops::error;

namespace {

thread_local bool registering = false;

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(no_child, Setup, setups_and_ways)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    // A grandchild: alive, and not ours.
    int ends[2];
    BOOST_REQUIRE(::pipe(ends) == 0);
    const pid_t parent = start_child([&] {
        const pid_t grandchild = ::fork();
        if (grandchild == 0)
        {
            ::pause();
            ::_exit(0);
        }
        if (::write(ends[1], &grandchild, sizeof grandchild) != sizeof grandchild)
            return 1;
        ::pause();
        return 0;
    });
    pid_t grandchild = 0;
    BOOST_REQUIRE(::read(ends[0], &grandchild, sizeof grandchild) == sizeof grandchild);
    const pid_t reaped = child_that_exits(0);
    ::waitpid(reaped, nullptr, 0);
    std::vector<outcome_ptr> results;
    for (const pid_t pid : {1, ::getpid(), grandchild, reaped, 0x7fffffff})
        results.push_back(way.start(*watcher, loop, pid));
    Setup::run(loop);
    way.finish();
    for (const auto& result : results)
    {
        BOOST_TEST(result->calls() == 1U);
        BOOST_TEST((result->ec() == error::not_a_child));
        BOOST_TEST((result->ec() == boost::system::errc::no_child_process));
        BOOST_TEST(result->exit().pid() == 0);
    }
    ::kill(grandchild, SIGKILL);
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    ::close(ends[0]);
    ::close(ends[1]);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_number_of_no_process, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    for (const pid_t pid : {0, -1, -5})
    {
        check_error([&] { watcher->async_wait(pid, recorder()); }, asio::error::invalid_argument,
            std::to_string(pid));
        check_error([&] { watcher->async_wait(pid, asio::use_future); },
            asio::error::invalid_argument, std::to_string(pid));
    }
    BOOST_TEST(loop.run() == 0U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(registered_again_after_the_end, Setup, setups_and_ways)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    const pid_t pid = child_that_exits(0);
    way.start(*watcher, loop, pid);
    Setup::run(loop);
    const auto again = way.start(*watcher, loop, pid);
    Setup::run(loop);
    way.finish();
    BOOST_TEST((again->ec() == error::not_a_child));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(many_waits_for_one_child, Setup, setups_and_ways)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    const auto first = Setup::make();
    const auto second = Setup::make();
    typename Setup::way way;
    gated_child child(5);
    std::vector<outcome_ptr> results;
    for (int i = 0; i < 4; ++i)
    {
        for (const auto& watcher : {first, second})
        {
            results.push_back(way.start(*watcher, loop, child.pid()));
            results.push_back(way.start(*watcher, other, child.pid()));
        }
    }
    loop.poll();
    other.poll();
    child.let_go();
    std::thread thread([&] { Setup::run(other); });
    Setup::run(loop);
    thread.join();
    way.finish();
    for (const auto& result : results)
    {
        BOOST_TEST(result->calls() == 1U);
        BOOST_TEST(result->exit().returncode() == 5);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(many_children, Setup, setups_and_ways)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    std::vector<outcome_ptr> results;
    for (int i = 0; i < 150; ++i)
        results.push_back(way.start(*watcher, loop, child_that_exits(i)));
    Setup::run(loop);
    way.finish();
    for (int i = 0; i < 150; ++i)
        BOOST_TEST(results[static_cast<std::size_t>(i)]->exit().returncode() == i);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(never_inline, Setup, setups)
{
    const child_ledger ledger;
    loops::event_loop loop;
    const auto watcher = Setup::make();
    const pid_t pid = child_that_exits(0);
    until_dead(pid);
    std::atomic<int> inline_calls{0};
    std::atomic<int> calls{0};
    const auto count = [&](loops::error_code, const auto&) {
        ++calls;
        inline_calls += registering ? 1 : 0;
    };
    asio::post(loop, [&] {
        registering = true;
        watcher->async_wait(pid, asio::bind_executor(loop.get_executor(), count));
        watcher->async_wait(1, asio::bind_executor(loop.get_executor(), count));
        watcher->async_wait(1, count);
        watcher->add_child_handler(1, count);
        watcher->close();
        watcher->async_wait(pid, count);
        registering = false;
    });
    Setup::run(loop);
    BOOST_TEST(calls == 5);
    BOOST_TEST(inline_calls == 0);
    ::waitpid(pid, nullptr, 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(right_executor, Setup, setups)
{
    warm_up_background();
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    asio::thread_pool pool(1);
    auto strand = asio::make_strand(other);
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    std::atomic<int> right{0};
    const auto expect = [&](auto executor) {
        return asio::bind_executor(executor, [&right, executor](loops::error_code ec, auto) {
            right += !ec && executor.running_in_this_thread() ? 1 : 0;
        });
    };
    gated_child child;
    watcher->async_wait(child.pid(), expect(loop.get_executor()));
    watcher->async_wait(child.pid(), expect(other.get_executor()));
    watcher->async_wait(child.pid(), expect(strand));
    watcher->async_wait(child.pid(), expect(pool.get_executor()));
    watcher->async_wait(child.pid(), [&](loops::error_code ec, const auto&) {
        right += !ec && loop.get_executor().running_in_this_thread() ? 1 : 0;
    });
    child.let_go();
    std::thread thread([&] { Setup::run(other); });
    Setup::run(loop);
    thread.join();
    pool.join();
    BOOST_TEST(right == 5);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handler_that_throws, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    std::atomic<int> calls{0};
    gated_child child;
    for (int i = 0; i < 5; ++i)
    {
        watcher->async_wait(child.pid(),
            asio::bind_executor(loop.get_executor(), [&](loops::error_code, const auto&) {
                ++calls;
                throw std::runtime_error("thrown by a handler");
            }));
    }
    child.let_go();
    int thrown = 0;
    for (int i = 0; i < 6; ++i)
    {
        try
        {
            loop.run();
        }
        catch (const std::runtime_error&)
        {
            ++thrown;
        }
    }
    BOOST_TEST(calls == 5);
    BOOST_TEST(thrown == 5);
}

// What made Boost.Process v2 stand still: a long child, started by the end of a short one.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_long_child_after_a_short_one, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    for (std::size_t round = 0; round < 20; ++round)
    {
        std::unique_ptr<gated_child> longer;
        std::atomic<bool> turned{false};
        int code = -1;
        auto work = asio::make_work_guard(loop);
        watcher->async_wait(child_that_exits(0),
            asio::bind_executor(loop.get_executor(), [&](loops::error_code, const auto&) {
                longer = std::make_unique<gated_child>(6);
                watcher->async_wait(longer->pid(), asio::bind_executor(loop.get_executor(),
                                                       [&](loops::error_code, const auto& exit) {
                                                           code = exit.returncode();
                                                           work.reset();
                                                       }));
                asio::post(loop, [&] {
                    asio::post(loop, [&] {
                        turned = true;
                        longer->let_go();
                    });
                });
            }));
        Setup::run(loop);
        BOOST_TEST(turned);
        BOOST_TEST(code == 6);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(tokens, Setup, setups)
{
    warm_up_background();
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    const recorder record;
    const pid_t pid = child_that_exits(4);
    auto operation = watcher->async_wait(pid, asio::deferred);
    BOOST_TEST(loop.run() == 0U); // it was not started
    std::move(operation)(record);
    // On this loop, whose threads end: to ThreadSanitizer another one destroys the exception here.
    auto refused =
        watcher->async_wait(1, asio::bind_executor(loop.get_executor(), asio::use_future));
    Setup::run(loop);
    BOOST_TEST(record.result->exit().returncode() == 4);
    check_error([&] { refused.get(); }, error::not_a_child);

    auto both = watcher->async_wait(child_that_exits(5), asio::as_tuple(asio::deferred));
    std::atomic<int> code{-1};
    std::move(both)([&](const std::tuple<loops::error_code, loops::child_exit>& ended) {
        code = std::get<0>(ended) ? -2 : std::get<1>(ended).returncode();
    });
    Setup::run(loop);
    BOOST_TEST(code == 5);
}
