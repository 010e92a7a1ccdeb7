// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_faults

#include "support/child_outcomes.hpp"
#include "support/child_watchers.hpp"
#include "support/error_check.hpp"
#include "support/faults.hpp"
#include "support/forked.hpp"
#include "support/log_capture.hpp"
#include "support/seccomp.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <string_view>

using namespace test;
using loops::error;

// The system refuses calls: a wait completes all the same, or the call fails and leaves nothing.

namespace {

constexpr std::string_view all_watchers[] = {"pidfd", "threaded", "multi_loop", "safe", "fast"};

loops::error_code code(int value)
{
    return loops::error_code(value, boost::system::system_category());
}

// The ways in which a pidfd cannot be had, or not be watched.
constexpr fault shortages[] = {{"pidfd_open", EMFILE}, {"pidfd_open", ENFILE},
    {"pidfd_open", ENOMEM}, {"epoll_create1", EMFILE}, {"epoll_create1", ENFILE},
    {"epoll_create1", ENOMEM}, {"epoll_ctl", ENOSPC}, {"epoll_ctl", ENOMEM}};

constexpr fault no_fault{"no call", 0};
constexpr fault no_thread{"thread", EAGAIN};
constexpr fault no_second_thread{"thread", EAGAIN, -1, 1};

} // namespace

BOOST_AUTO_TEST_CASE(shortages_fail_no_wait)
{
    for (const fault& made : shortages)
    {
        for (const fault& besides : {no_fault, no_thread, no_second_thread})
        {
            const child_ledger ledger;
            asio::io_context loop;
            asio::io_context other;
            loops::pidfd_child_watcher watcher;
            watcher.attach_loop(loop);
            gated_child child(3);
            by_callback way;
            const recorder first;
            const recorder handler;
            outcome_ptr second;
            outcome_ptr dead;
            const faults failing{made, besides};
            watcher.async_wait(child.pid(), first);
            watcher.add_child_handler(child.pid(), handler);
            second = way.start(watcher, other, child.pid());
            const pid_t dead_already = child_that_exits(4);
            until_dead(dead_already);
            dead = way.start(watcher, loop, dead_already);
            child.let_go();
            std::thread thread([&] { run(other, 1); });
            run(loop, 1);
            thread.join();
            BOOST_TEST(faults::asked() > 0);
            BOOST_TEST(is_true(*first.result, 3), made.call << ' ' << first.result->ec());
            BOOST_TEST(is_true(*handler.result, 3), made.call << ' ' << handler.result->ec());
            BOOST_TEST(is_true(*second, 3), made.call << ' ' << second->ec());
            BOOST_TEST(is_true(*dead, 4), made.call << ' ' << dead->ec());
        }
    }
}

// For one child only: those before it and after it have their pidfds.
BOOST_AUTO_TEST_CASE(a_shortage_that_passes)
{
    for (const fault& made : shortages)
    {
        const child_ledger ledger;
        asio::io_context loop;
        loops::pidfd_child_watcher watcher;
        by_callback way;
        std::vector<gated_child> children;
        std::vector<outcome_ptr> results;
        for (int i = 0; i < 9; ++i)
        {
            children.emplace_back(i);
            const faults failing{i / 3 == 1 ? made : no_fault};
            results.push_back(way.start(watcher, loop, children.back().pid()));
        }
        // The same children once more, with what is there by now.
        for (const gated_child& child : children)
            results.push_back(way.start(watcher, loop, child.pid()));
        for (gated_child& child : children)
            child.let_go();
        run(loop, 1);
        for (std::size_t i = 0; i < results.size(); ++i)
            BOOST_TEST(is_true(*results[i], static_cast<int>(i % 9)), i << ' ' << made.call);
    }
}

// It was there when the wait moves to another loop.
BOOST_AUTO_TEST_CASE(a_shortage_when_it_moves)
{
    for (const fault& made : shortages)
    {
        const child_ledger ledger;
        asio::io_context loop;
        asio::io_context other;
        loops::pidfd_child_watcher watcher;
        watcher.attach_loop(loop);
        gated_child child(3);
        const recorder record;
        watcher.async_wait(child.pid(), record);
        loop.poll();
        const faults failing{made, no_thread};
        watcher.attach_loop(other);
        child.let_go();
        run(other, 1);
        BOOST_TEST(is_true(*record.result, 3), made.call << ' ' << record.result->ec());
    }
}

BOOST_AUTO_TEST_CASE(interrupted_calls)
{
    warm_up_background();
    for (const std::string_view name : all_watchers)
    {
        const child_ledger ledger;
        asio::io_context loop;
        const auto watcher = make_watcher(name);
        watcher->attach_loop(loop);
        by_callback way;
        gated_child child(3);
        outcome_ptr results[2];
        for (int times = 1; times < 6; ++times)
        {
            gated_child next(times);
            const faults failing{{"waitid", EINTR, times}};
            results[0] = way.start(*watcher, loop, next.pid());
            next.let_go();
            results[1] = way.start(*watcher, loop, child_that_exits(7));
            run(loop, 1);
            BOOST_TEST(faults::asked() > times);
            BOOST_TEST(is_true(*results[0], times), name);
            BOOST_TEST(is_true(*results[1], 7), name);
        }
        child.reap();
    }
}

// The kernel says that there is no such child, of one that there was.
BOOST_AUTO_TEST_CASE(no_such_child_any_more)
{
    warm_up_background();
    for (const std::string_view name : all_watchers)
    {
        for (const bool tells : {true, false})
        {
            const child_ledger ledger;
            asio::io_context loop;
            const auto watcher = make_watcher(name);
            watcher->attach_loop(loop);
            by_callback way;
            gated_child child(3);
            const auto first = way.start(*watcher, loop, child.pid());
            const auto second = way.start(*watcher, loop, child.pid());
            loop.poll();
            {
                const faults failing{{"waitid", ECHILD}, tells ? no_fault : fault{"ioctl", ENOTTY}};
                child.let_go();
                run(loop, 1);
            }
            BOOST_TEST(is_true_or_lost(*first, 3), name << ": " << first->ec());
            BOOST_TEST(is_true_or_lost(*second, 3), name << ": " << second->ec());
            if (!tells)
                BOOST_TEST((first->ec() == error::child_status_lost), name);
            watcher->close();
            child.reap();
        }
    }
}

BOOST_AUTO_TEST_CASE(no_such_child_at_the_registration)
{
    warm_up_background();
    for (const std::string_view name : all_watchers)
    {
        const child_ledger ledger;
        asio::io_context loop;
        const auto watcher = make_watcher(name);
        watcher->attach_loop(loop);
        by_callback way;
        gated_child child(3);
        outcome_ptr refused;
        {
            const faults failing{{"waitid", ECHILD}};
            refused = way.start(*watcher, loop, child.pid());
            run(loop, 1);
        }
        BOOST_TEST((refused->ec() == error::not_a_child), name << ": " << refused->ec());
        const auto result = way.start(*watcher, loop, child.pid());
        child.let_go();
        run(loop, 1);
        BOOST_TEST(is_true(*result, 3), name << ": " << result->ec());
    }
}

// SIGCHLD is taken with a thread's help.
BOOST_AUTO_TEST_CASE(no_thread_for_the_signal)
{
    for (const std::string_view name : {"safe", "fast"})
    {
        const child_ledger ledger;
        const log_capture log;
        asio::io_context loop;
        const auto watcher = make_watcher(name);
        by_callback way;
        outcome_ptr before;
        outcome_ptr after;
        gated_child child(4);
        {
            const faults failing{no_thread};
            loops::error_code ec;
            watcher->attach_loop(loop, ec);
            BOOST_TEST((ec == code(EAGAIN)), ec);
            check_error([&] { watcher->attach_loop(loop); }, code(EAGAIN));
            BOOST_TEST(!watcher->is_active());
            before = way.start(*watcher, loop, child_that_exits(3));
            after = way.start(*watcher, loop, child.pid());
            while (before->calls() == 0 && loop.run_one() > 0)
            {}
            BOOST_TEST(is_true(*before, 3));
            BOOST_TEST(log.said().find("SIGCHLD") != std::string::npos);
        }
        watcher->attach_loop(loop);
        BOOST_TEST(watcher->is_active());
        child.let_go();
        run(loop, 1);
        BOOST_TEST(is_true(*after, 4));
    }
}

// As the kernel does it. The process knew before that pidfds can be used.
BOOST_AUTO_TEST_CASE(refused_for_real)
{
    BOOST_REQUIRE(loops::pidfd_child_watcher::is_supported());
    for (const int value : {ENOSYS, EPERM, EMFILE, ENFILE, ENOMEM})
    {
        const child_ledger ledger;
        const int result = in_forked_child([value] {
            ::alarm(60);
            asio::io_context loop;
            loops::pidfd_child_watcher watcher;
            by_callback way;
            gated_child before(3);
            gated_child child(4);
            const auto first = way.start(watcher, loop, before.pid());
            if (!refuse_system_call(pidfd_open_number, value))
                return -1;
            const auto second = way.start(watcher, loop, child.pid());
            const auto again = way.start(watcher, loop, before.pid());
            before.let_go();
            child.let_go();
            run(loop, 1);
            if (!is_true(*first, 3) || !is_true(*again, 3))
                return 1;
            // For good, or for this child: it is said, or the child is watched otherwise.
            const bool for_good = value == ENOSYS || value == EPERM;
            if (for_good ? second->ec() != code(value) : !is_true(*second, 4))
                return 2;
            if (second->calls() != 1)
                return 3;
            return for_good ? child.reap() - 4 : 0;
        });
        if (result == -1)
            return skipped("child_watcher_faults/refused_for_real", "seccomp is not to be had");
        BOOST_TEST(result == 0, value << ": " << result);
    }
}
