// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE pidfd_bad_alloc

#include <loops/event_loop.hpp>

#include "support/alloc/counted.hpp"
#include "support/child_watchers.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"
#include "support/log_capture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <new>

using namespace test;

// Each allocation of an operation fails in its turn; the wait ends as promised all the same.

namespace {

// Runs `scenario` with the first allocation failing, the second, and so on, as long as it comes
// that far. Each in a process of its own, where everything is made for the first
// time. The scenario gives 0 where all is well, else up to 98.
template <class Scenario>
void each_allocation(const char* name, Scenario scenario)
{
    if (!counts_allocations())
        return skipped(name, "a sanitizer replaces the allocation functions");
    const child_ledger ledger;
    for (long n = 0; n < 200; ++n)
    {
        const int code = in_forked_child([&] {
            ::alarm(60);
            const int wrong = scenario(n);
            return refused_allocation::came_to_it() || wrong != 0 ? wrong : 99;
        });
        if (code == 99)
            return;
        BOOST_TEST(code == 0, "allocation " << n << " gives " << code);
    }
    BOOST_ERROR("it never came through");
}

void kill_and_run(asio::io_context& loop, pid_t pid)
{
    ::kill(pid, SIGKILL);
    loop.restart();
    loop.run();
}

pid_t sleeping_child()
{
    return start_child([] {
        ::alarm(60);
        for (;;)
            ::pause();
        return 0;
    });
}

// What the process makes once, and where functions that may not throw make it: not looked at here.
void make_known(asio::io_context& loop)
{
    const auto watcher = make_watcher("pidfd");
    const recorder record;
    watcher->attach_loop(loop);
    watcher->async_wait(child_that_exits(0), record);
    loop.run();
    loop.restart();
    loops::try_get_running_loop();
}

} // namespace

BOOST_AUTO_TEST_CASE(a_wait)
{
    each_allocation("pidfd_bad_alloc/a_wait", [](long n) {
        asio::io_context loop;
        make_known(loop);
        loops::pidfd_child_watcher watcher;
        asio::io_context fresh; // its service, and the inner epoll, are made by the wait
        const pid_t pid = child_that_exits(3);
        until_dead(pid);
        int calls = 0;
        bool threw = false;
        try
        {
            const refused_allocation one(n);
            watcher.async_wait(
                pid, asio::bind_executor(fresh.get_executor(), [&](auto&&...) { ++calls; }));
        }
        catch (const std::bad_alloc&)
        {
            threw = true;
        }
        fresh.run();
        return threw == (calls == 0) ? 0 : 1;
    });
}

BOOST_AUTO_TEST_CASE(a_wait_that_is_refused)
{
    each_allocation("pidfd_bad_alloc/a_wait_that_is_refused", [](long n) {
        asio::io_context loop;
        make_known(loop);
        loops::pidfd_child_watcher watcher;
        watcher.close();
        int calls = 0;
        bool threw = false;
        try
        {
            const refused_allocation one(n);
            watcher.async_wait(
                1, asio::bind_executor(loop.get_executor(), [&](auto&&...) { ++calls; }));
        }
        catch (const std::bad_alloc&)
        {
            threw = true;
        }
        loop.run();
        return threw == (calls == 0) ? 0 : 1;
    });
}

BOOST_AUTO_TEST_CASE(a_replacement)
{
    each_allocation("pidfd_bad_alloc/a_replacement", [](long n) {
        asio::io_context loop;
        make_known(loop);
        loops::pidfd_child_watcher watcher;
        watcher.attach_loop(loop);
        const pid_t pid = sleeping_child();
        int first = 0;
        int second = 0;
        bool threw = false;
        watcher.add_child_handler(pid, [&](pid_t, int) { ++first; });
        loop.poll();
        try
        {
            const refused_allocation one(n);
            watcher.add_child_handler(pid, [&](pid_t, int) { ++second; });
        }
        catch (const std::bad_alloc&)
        {
            threw = true;
        }
        kill_and_run(loop, pid);
        return first == (threw ? 1 : 0) && second == (threw ? 0 : 1) ? 0 : 1;
    });
}

// The loop reaps, and has no memory for it: it needs none.
BOOST_AUTO_TEST_CASE(reaping)
{
    each_allocation("pidfd_bad_alloc/reaping", [](long n) {
        asio::io_context loop;
        make_known(loop);
        asio::io_context other;
        loops::pidfd_child_watcher watcher;
        watcher.attach_loop(loop);
        std::atomic<int> calls{0};
        const auto count = [&](auto&&...) { ++calls; };
        for (int i = 0; i < 3; ++i)
        {
            const pid_t pid = child_that_exits(0);
            until_dead(pid);
            watcher.async_wait(pid, count);
            watcher.add_child_handler(pid, count);
            watcher.async_wait(pid, asio::bind_executor(other.get_executor(), count));
        }
        {
            const refused_allocation one(n);
            loop.run();
        }
        other.run();
        return calls == 9 ? 0 : 1;
    });
}

BOOST_AUTO_TEST_CASE(cancelling)
{
    each_allocation("pidfd_bad_alloc/cancelling", [](long n) {
        asio::io_context loop;
        make_known(loop);
        loops::pidfd_child_watcher watcher;
        const pid_t pid = sleeping_child();
        asio::cancellation_signal signal;
        int calls = 0;
        watcher.async_wait(
            pid, asio::bind_cancellation_slot(signal.slot(),
                     asio::bind_executor(loop.get_executor(), [&](auto&&...) { ++calls; })));
        {
            const refused_allocation one(n);
            signal.emit(asio::cancellation_type::terminal);
        }
        loop.run();
        ::kill(pid, SIGKILL);
        return calls == 1 ? 0 : 1;
    });
}

BOOST_AUTO_TEST_CASE(attaching)
{
    each_allocation("pidfd_bad_alloc/attaching", [](long n) {
        asio::io_context loop;
        make_known(loop);
        asio::io_context other;
        const asio::steady_timer reactor(other);
        loops::pidfd_child_watcher watcher;
        watcher.attach_loop(loop);
        const pid_t first = sleeping_child();
        const pid_t second = sleeping_child();
        int calls = 0;
        for (const pid_t pid : {first, second})
            watcher.async_wait(pid, [&](auto&&...) { ++calls; });
        try
        {
            const refused_allocation one(n);
            watcher.attach_loop(other);
        }
        catch (const std::bad_alloc&)
        {}
        ::kill(first, SIGKILL);
        ::kill(second, SIGKILL);
        loop.run(); // either may have them
        other.run();
        return calls == 2 ? 0 : 1;
    });
}

// What is kept ends on threads of the library, which are made by that.
BOOST_AUTO_TEST_CASE(closing)
{
    each_allocation("pidfd_bad_alloc/closing", [](long n) {
        const log_capture log;
        std::atomic<int> calls{0};
        asio::io_context loop;
        make_known(loop);
        loops::pidfd_child_watcher watcher;
        watcher.attach_loop(loop);
        const pid_t pid = sleeping_child();
        for (int i = 0; i < 3; ++i)
            watcher.async_wait(pid, [&](auto&&...) { ++calls; });
        watcher.attach_loop(nullptr);
        {
            const refused_allocation one(n);
            watcher.close();
        }
        ::kill(pid, SIGKILL);
        return eventually([&] { return calls == 3; }) ? 0 : 1;
    });
}
