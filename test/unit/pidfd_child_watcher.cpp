// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE pidfd_child_watcher

#include <loops/detail/fault.hpp>

#include "support/child_watchers.hpp"
#include "support/error_check.hpp"
#include "support/forked.hpp"
#include "support/skipped.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstring>
#include <set>
#include <string>

#include <sys/ptrace.h>

using namespace test;

namespace {

// Makes one system call fail while it lives.
class fault
{
public:
    fault(const char* call, int code)
    {
        call_ = call;
        code_ = code;
        loops::detail::fault_hook =
            +[](const char* asked) { return std::strcmp(asked, call_) == 0 ? code_ : 0; };
    }
    ~fault() { loops::detail::fault_hook = nullptr; }

private:
    inline static const char* call_ = nullptr;
    inline static int code_ = 0;
};

loops::error_code code(int value)
{
    return loops::error_code(value, boost::system::system_category());
}

} // namespace

BOOST_AUTO_TEST_CASE(faults_at_the_registration)
{
    for (const auto& [call, value] : {std::pair("pidfd_open", EPERM), std::pair("waitid", EINVAL),
             std::pair("epoll_create1", EPERM), std::pair("epoll_ctl", EPERM)})
    {
        const child_ledger ledger;
        asio::io_context loop;
        loops::pidfd_child_watcher watcher;
        watcher.attach_loop(loop);
        gated_child child(3);
        const recorder failed;
        const recorder handler;
        {
            const fault made(call, value);
            watcher.async_wait(child.pid(), failed);
            watcher.add_child_handler(child.pid(), handler);
        }
        run(loop, 1);
        BOOST_TEST((failed.result->ec() == code(value)), call << ": " << failed.result->ec());
        BOOST_TEST((handler.result->ec() == code(value)), call << ": " << handler.result->ec());
        // Nothing is left of it.
        const recorder record;
        watcher.async_wait(child.pid(), record);
        child.let_go();
        run(loop, 1);
        BOOST_TEST(record.result->exit().returncode() == 3);
    }
}

BOOST_AUTO_TEST_CASE(a_fault_on_the_second_loop)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    loops::pidfd_child_watcher watcher;
    gated_child child(3);
    by_callback way;
    const auto first = way.start(watcher, loop, child.pid());
    outcome_ptr second;
    {
        const fault made("epoll_ctl", EPERM);
        second = way.start(watcher, other, child.pid());
    }
    run(other, 1);
    child.let_go();
    run(loop, 1);
    BOOST_TEST((second->ec() == code(EPERM)));
    BOOST_TEST(first->exit().returncode() == 3);
}

// One registration's bad luck is not that of the earlier ones.
BOOST_AUTO_TEST_CASE(a_fault_at_the_second_registration)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    loops::pidfd_child_watcher watcher;
    gated_child child(3);
    by_callback way;
    const auto first = way.start(watcher, loop, child.pid());
    outcome_ptr second;
    {
        const fault made("waitid", ENOMEM);
        second = way.start(watcher, other, child.pid());
    }
    run(other, 1);
    BOOST_TEST((second->ec() == code(ENOMEM)));
    child.let_go();
    run(loop, 1);
    BOOST_TEST(!first->ec());
    BOOST_TEST(first->exit().returncode() == 3);
}

BOOST_AUTO_TEST_CASE(a_fault_when_it_moves)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    loops::pidfd_child_watcher watcher;
    watcher.attach_loop(loop);
    gated_child child(3);
    const recorder record;
    watcher.async_wait(child.pid(), record);
    {
        const fault made("epoll_ctl", EPERM);
        watcher.attach_loop(other);
    }
    run(loop, 1);
    run(other, 1);
    BOOST_TEST((record.result->ec() == code(EPERM)));
    child.reap();
}

BOOST_AUTO_TEST_CASE(a_fault_at_the_end)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::pidfd_child_watcher watcher;
    gated_child child;
    by_callback way;
    const auto first = way.start(watcher, loop, child.pid());
    const auto second = way.start(watcher, loop, child.pid());
    {
        const fault made("waitid", ENOMEM);
        child.let_go();
        run(loop, 1);
    }
    BOOST_TEST((first->ec() == code(ENOMEM)));
    BOOST_TEST((second->ec() == code(ENOMEM)));
    ::waitpid(child.pid(), nullptr, 0);
}

BOOST_AUTO_TEST_CASE(one_descriptor_a_child)
{
    asio::io_context loop;
    asio::io_context other;
    loops::pidfd_child_watcher watcher;
    loops::pidfd_child_watcher sibling;
    by_callback way;
    gated_child first;
    gated_child second;
    way.start(watcher, loop, first.pid());
    way.start(watcher, other, first.pid());
    const auto before = child_ledger::count_descriptors();
    for (int i = 0; i < 10; ++i)
    {
        way.start(watcher, loop, first.pid());
        way.start(sibling, other, first.pid());
    }
    BOOST_TEST(child_ledger::count_descriptors() == before);
    way.start(sibling, loop, second.pid());
    BOOST_TEST(child_ledger::count_descriptors() == before + 1);
    first.let_go();
    second.let_go();
    run(loop, 1);
    run(other, 1);
    BOOST_TEST(child_ledger::count_descriptors() == before - 3); // the gates are closed as well
}

BOOST_AUTO_TEST_CASE(the_last_watcher_takes_the_inner_epoll_with_it)
{
    const child_ledger ledger;
    asio::io_context loop;
    const asio::steady_timer reactor(loop);
    const auto before = child_ledger::count_descriptors();
    by_callback way;
    for (int i = 0; i < 3; ++i)
    {
        loops::pidfd_child_watcher watcher;
        const auto result = way.start(watcher, loop, child_that_exits(i));
        run(loop, 1);
        BOOST_TEST(result->exit().returncode() == i);
        BOOST_TEST(child_ledger::count_descriptors() == before + 1);
        watcher.close();
        BOOST_TEST(child_ledger::count_descriptors() == before);
    }
}

// Dead, but traced by another process, which alone can see the end of it for now: the loop must
// neither block nor spin.
BOOST_AUTO_TEST_CASE(a_traced_child)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::pidfd_child_watcher watcher;
    gated_child child(7);
    int told[2];
    int leave[2];
    BOOST_REQUIRE(::pipe(told) == 0);
    BOOST_REQUIRE(::pipe(leave) == 0);
    const pid_t tracer = start_child([&] {
        char byte = ::ptrace(PTRACE_SEIZE, child.pid(), nullptr, nullptr) == 0 ? 'y' : 'n';
        if (::write(told[1], &byte, 1) != 1 || byte == 'n')
            return 1;
        siginfo_t info{};
        ::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT);
        byte = 'd';
        return ::write(told[1], &byte, 1) == 1 && ::read(leave[0], &byte, 1) == 1 ? 0 : 1;
    });
    char byte = 0;
    BOOST_REQUIRE(::read(told[0], &byte, 1) == 1);
    if (byte == 'y')
    {
        by_callback way;
        const auto result = way.start(watcher, loop, child.pid());
        child.let_go();
        BOOST_REQUIRE(::read(told[0], &byte, 1) == 1); // it is dead, to its tracer
        std::size_t turns = 0;
        for (std::size_t ran = 1; ran > 0; turns += ran)
            ran = loop.poll();
        BOOST_TEST(turns < 5U);
        BOOST_TEST(result->calls() == 0U);
        BOOST_TEST(::write(leave[1], &byte, 1) == 1);
        run(loop, 1);
        BOOST_TEST(result->exit().returncode() == 7);
    }
    else
    {
        skipped("pidfd_child_watcher/a_traced_child", "ptrace is refused here");
        child.reap();
    }
    ::waitpid(tracer, nullptr, 0);
    for (const int fd : {told[0], told[1], leave[0], leave[1]})
        ::close(fd);
}

BOOST_AUTO_TEST_CASE(more_children_than_a_turn_takes)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::pidfd_child_watcher watcher;
    by_callback way;
    std::vector<outcome_ptr> results;
    for (int i = 0; i < 200; ++i)
    {
        const pid_t pid = child_that_exits(i);
        until_dead(pid);
        results.push_back(way.start(watcher, loop, pid));
    }
    // Other handlers have their turn between the exits.
    std::size_t turns = 0;
    std::function<void()> turn = [&] {
        ++turns;
        if (results.back()->calls() == 0)
            asio::post(loop, turn);
    };
    asio::post(loop, turn);
    run(loop, 1);
    BOOST_TEST(turns > 100U);
    for (int i = 0; i < 200; ++i)
        BOOST_TEST(results[static_cast<std::size_t>(i)]->exit().returncode() == i);
}

BOOST_AUTO_TEST_CASE(kept_exits_are_bounded)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    loops::pidfd_child_watcher watcher;
    by_callback way;
    std::set<pid_t> pids;
    const auto ignore = [](pid_t, int) {};
    for (int i = 0; i < 1100; ++i)
    {
        const pid_t pid = child_that_exits(i % 200);
        pids.insert(pid);
        watcher.add_child_handler(pid, asio::bind_executor(other.get_executor(), ignore));
        way.start(watcher, loop, pid);
        run(loop, 1);
        watcher.remove_child_handler(pid);
    }
    run(other, 1);
    std::size_t kept = 0;
    for (const pid_t pid : pids)
    {
        const auto result = way.start(watcher, loop, pid);
        run(loop, 1);
        kept += result->ec() ? 0U : 1U;
    }
    BOOST_TEST(kept <= 1024U);
    BOOST_TEST(kept > 1000U);
}

BOOST_AUTO_TEST_CASE(not_supported)
{
    BOOST_TEST(loops::pidfd_child_watcher::is_supported());
    BOOST_TEST(loops::pidfd_child_watcher().name() == "pidfd");
    BOOST_TEST(in_forked_child([] {
        ::setenv("LOOPS_NO_PIDFD", "1", 1);
        if (loops::pidfd_child_watcher::is_supported())
            return 1;
        try
        {
            const loops::pidfd_child_watcher watcher;
        }
        catch (const loops::system_error& e)
        {
            return e.code() == boost::system::errc::operation_not_supported ? 0 : 2;
        }
        return 3;
    }) == 0);
    ::setenv("LOOPS_NO_PIDFD", "", 1);
    BOOST_TEST(loops::pidfd_child_watcher::is_supported());
    ::unsetenv("LOOPS_NO_PIDFD");
}
