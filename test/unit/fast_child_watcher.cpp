// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE fast_child_watcher

#include "support/child_outcomes.hpp"
#include "support/child_watchers.hpp"
#include "support/forked.hpp"
#include "support/handler_calls.hpp"
#include "support/latch.hpp"
#include "support/log_capture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <stdexcept>

#include <sys/prctl.h>

using namespace test;
using loops::error;

// What becomes of the children that nobody registered.

namespace {

// What the watcher said of them, on one thread.
class unclaimed
{
public:
    auto function()
    {
        return [this](const loops::child_exit& exit) { told_.push_back(exit); };
    }

    const std::vector<loops::child_exit>& told() const { return told_; }

    // Turns the loop until that many were told.
    bool reach(std::size_t count, asio::io_context& loop) const
    {
        return eventually([&] {
            loop.restart();
            loop.poll();
            return told_.size() >= count;
        });
    }

private:
    std::vector<loops::child_exit> told_;
};

// That all of them are reaped.
bool no_child_is_left()
{
    return eventually([] {
        siginfo_t info{};
        return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
    });
}

outcome_ptr wait_for(loops::child_watcher& watcher, asio::io_context& loop, pid_t pid)
{
    by_callback way;
    const auto result = way.start(watcher, loop, pid);
    run(loop, 1);
    return result;
}

constexpr std::size_t most_kept = 1024;

} // namespace

BOOST_AUTO_TEST_CASE(told_and_kept)
{
    const child_ledger ledger;
    asio::io_context loop;
    unclaimed exits;
    loops::fast_child_watcher watcher(exits.function());
    const pid_t early = child_that_exits(9); // before the watcher has the signal
    watcher.attach_loop(loop);
    BOOST_TEST(exits.reach(1, loop));
    const pid_t exited = child_that_exits(3);
    BOOST_TEST(exits.reach(2, loop));
    const pid_t killed = child_that_dies_of(SIGTERM);
    BOOST_TEST(exits.reach(3, loop));
    BOOST_TEST(exits.told()[0].pid() == early);
    BOOST_TEST(exits.told()[0].returncode() == 9);
    BOOST_TEST(exits.told()[1].pid() == exited);
    BOOST_TEST(exits.told()[1].returncode() == 3);
    BOOST_TEST(exits.told()[1].rusage().has_value());
    BOOST_TEST(exits.told()[2].pid() == killed);
    BOOST_TEST(exits.told()[2].returncode() == -SIGTERM);

    // Who comes late finds it, once.
    BOOST_TEST(is_true(*wait_for(watcher, loop, early), 9));
    BOOST_TEST(is_true(*wait_for(watcher, loop, exited), 3));
    handler_calls called;
    watcher.add_child_handler(killed, called.handler());
    run(loop, 1);
    BOOST_TEST(called.codes[killed] == std::vector<int>{-SIGTERM});
    for (const pid_t pid : {early, exited, killed})
        BOOST_TEST((wait_for(watcher, loop, pid)->ec() == error::not_a_child));
    BOOST_TEST(exits.told().size() == 3U);
}

BOOST_AUTO_TEST_CASE(what_is_registered_is_not_unclaimed)
{
    const child_ledger ledger;
    asio::io_context loop;
    unclaimed exits;
    loops::fast_child_watcher watcher(exits.function());
    watcher.attach_loop(loop);
    const auto other = make_watcher("pidfd");
    for (std::size_t round = 0; round < rounds(20); ++round)
    {
        gated_child own(5);
        gated_child others(6);
        by_callback way;
        const auto here = way.start(watcher, loop, own.pid());
        const auto there = way.start(*other, loop, others.pid());
        const pid_t stranger = child_that_exits(7);
        own.let_go();
        others.let_go();
        run(loop, 1);
        BOOST_TEST(is_true(*here, 5));
        BOOST_TEST(is_true(*there, 6));
        BOOST_TEST(exits.reach(round + 1, loop));
        BOOST_TEST(exits.told().size() == round + 1);
        BOOST_TEST(exits.told().back().pid() == stranger);
    }
}

BOOST_AUTO_TEST_CASE(what_is_kept_is_bounded)
{
    const child_ledger ledger;
    asio::io_context loop;
    unclaimed exits;
    loops::fast_child_watcher watcher(exits.function());
    watcher.attach_loop(loop);
    // The oldest first. A number that the system gives anew meanwhile is the later child's.
    std::vector<std::pair<pid_t, int>> ended;
    for (std::size_t i = 0; ended.size() < most_kept + 50; ++i)
    {
        const int code = static_cast<int>(i % 200);
        const pid_t pid = child_that_exits(code);
        BOOST_REQUIRE(exits.reach(i + 1, loop));
        const auto same = [pid](const auto& each) { return each.first == pid; };
        ended.erase(std::remove_if(ended.begin(), ended.end(), same), ended.end());
        ended.emplace_back(pid, code);
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < ended.size(); ++i)
    {
        const auto result = wait_for(watcher, loop, ended[i].first);
        BOOST_TEST(is_true(*result, ended[i].second) == (i >= 50));
        kept += result->ec() ? 0U : 1U;
    }
    BOOST_TEST(kept == most_kept);
}

BOOST_AUTO_TEST_CASE(detached)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context second;
    unclaimed exits;
    loops::fast_child_watcher watcher(exits.function());
    watcher.attach_loop(loop);
    const log_capture log;
    watcher.attach_loop(nullptr);
    const pid_t pid = child_that_exits(3);
    BOOST_TEST(no_child_is_left()); // it is reaped all the same
    loop.poll();
    BOOST_TEST(exits.told().empty());
    watcher.attach_loop(second);
    BOOST_TEST(exits.reach(1, second));
    BOOST_TEST(exits.told()[0].pid() == pid);
    BOOST_TEST(exits.told()[0].returncode() == 3);
    BOOST_TEST(is_true(*wait_for(watcher, second, pid), 3));
}

BOOST_AUTO_TEST_CASE(what_a_detached_one_has_to_tell_is_bounded)
{
    const child_ledger ledger;
    asio::io_context loop;
    unclaimed exits;
    loops::fast_child_watcher watcher(exits.function());
    watcher.attach_loop(loop);
    watcher.attach_loop(nullptr);
    std::vector<pid_t> pids;
    for (std::size_t i = 0; i < most_kept + 50; ++i)
    {
        pids.push_back(child_that_exits(1));
        BOOST_REQUIRE(no_child_is_left()); // so that they come in order
    }
    watcher.attach_loop(loop);
    BOOST_TEST(exits.reach(most_kept, loop));
    const pid_t last = child_that_exits(2);
    BOOST_TEST(exits.reach(most_kept + 1, loop));
    BOOST_TEST(exits.told().size() == most_kept + 1);
    for (std::size_t i = 0; i < most_kept; ++i)
        BOOST_REQUIRE(exits.told()[i].pid() == pids[i + 50]);
    BOOST_TEST(exits.told().back().pid() == last);
}

// A registration that is kept until the attachment, and one that comes when the exit is known.
BOOST_AUTO_TEST_CASE(registered_while_detached)
{
    const child_ledger ledger;
    asio::io_context loop;
    unclaimed exits;
    loops::fast_child_watcher watcher(exits.function());
    watcher.attach_loop(loop);
    const log_capture log;
    watcher.attach_loop(nullptr);
    gated_child child(4);
    const recorder before;
    watcher.async_wait(child.pid(), before);
    const pid_t unknown = child_that_exits(5);
    child.let_go();
    BOOST_TEST(no_child_is_left());
    const recorder after;
    watcher.async_wait(unknown, after);
    watcher.attach_loop(loop);
    BOOST_TEST(exits.reach(1, loop));
    run(loop, 1);
    BOOST_TEST(is_true(*before.result, 4));
    BOOST_TEST(is_true(*after.result, 5));
    BOOST_TEST(exits.told().size() == 1U);
    BOOST_TEST(exits.told()[0].pid() == unknown);
}

BOOST_AUTO_TEST_CASE(nothing_is_told_after_closing)
{
    const child_ledger ledger;
    asio::io_context loop;
    std::size_t calls = 0;
    auto alive = std::make_shared<int>();
    const std::weak_ptr<int> is_alive = alive;
    {
        loops::fast_child_watcher watcher([&calls, alive](const loops::child_exit&) { ++calls; });
        alive.reset();
        watcher.attach_loop(loop);
        child_that_exits(3);
        BOOST_TEST(no_child_is_left()); // it is on its way to the loop
        watcher.close();
        loop.poll();
        BOOST_TEST(calls == 0U);
    }
    BOOST_TEST(is_alive.expired());
}

BOOST_AUTO_TEST_CASE(each_watcher_is_told)
{
    const child_ledger ledger;
    asio::io_context loop;
    asio::io_context other;
    unclaimed first_exits;
    unclaimed second_exits;
    loops::fast_child_watcher first(first_exits.function());
    loops::fast_child_watcher second(second_exits.function());
    loops::fast_child_watcher without;
    first.attach_loop(loop);
    second.attach_loop(other);
    without.attach_loop(other);
    const pid_t pid = child_that_exits(3);
    BOOST_TEST(first_exits.reach(1, loop));
    BOOST_TEST(second_exits.reach(1, other));
    BOOST_TEST(first_exits.told().size() == 1U);
    BOOST_TEST(second_exits.told().size() == 1U);
    BOOST_TEST(is_true(*wait_for(without, loop, pid), 3));
    second.close();
    child_that_exits(4);
    BOOST_TEST(first_exits.reach(2, loop));
    other.poll();
    BOOST_TEST(second_exits.told().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_function_that_throws)
{
    const child_ledger ledger;
    asio::io_context loop;
    std::size_t calls = 0;
    loops::fast_child_watcher watcher([&](const loops::child_exit&) {
        ++calls;
        throw std::runtime_error("thrown by the function");
    });
    watcher.attach_loop(loop);
    for (int i = 0; i < 3; ++i)
        child_that_exits(i);
    std::size_t thrown = 0;
    BOOST_TEST(eventually([&] {
        try
        {
            loop.restart();
            loop.poll();
        }
        catch (const std::runtime_error&)
        {
            ++thrown;
        }
        return thrown == 3;
    }));
    BOOST_TEST(calls == 3U);
}

// Its function registers, starts, and closes.
BOOST_AUTO_TEST_CASE(used_in_its_function)
{
    const child_ledger ledger;
    asio::io_context loop;
    std::unique_ptr<loops::fast_child_watcher> watcher;
    const recorder late;
    const recorder next;
    bool closed = false;
    watcher = std::make_unique<loops::fast_child_watcher>([&](const loops::child_exit& exit) {
        if (exit.returncode() == 1)
        {
            watcher->async_wait(exit.pid(), late);
            watcher->async_wait(child_that_exits(2), next);
        }
        else
        {
            watcher.reset();
            closed = true;
        }
    });
    watcher->attach_loop(loop);
    child_that_exits(1);
    BOOST_TEST(eventually([&] {
        loop.restart();
        loop.poll();
        return next.result->calls() == 1;
    }));
    BOOST_TEST(is_true(*late.result, 1));
    BOOST_TEST(is_true(*next.result, 2));
    child_that_exits(7);
    BOOST_TEST(eventually([&] {
        loop.restart();
        loop.poll();
        return closed;
    }));
}

// What it is for: orphans that come to a subreaper.
BOOST_AUTO_TEST_CASE(orphans)
{
    const child_ledger ledger;
    const int code = in_forked_child([] {
        ::alarm(60);
        if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
            return 1;
        asio::io_context loop;
        unclaimed exits;
        loops::fast_child_watcher watcher(exits.function());
        watcher.attach_loop(loop);
        const pid_t parent = start_child([] {
            for (int i = 1; i <= 3; ++i)
                if (::fork() == 0)
                    ::_exit(10 + i);
            return 1;
        });
        if (!exits.reach(4, loop) || exits.told().size() != 4)
            return 2;
        std::vector<int> codes;
        for (const loops::child_exit& exit : exits.told())
        {
            if ((exit.pid() == parent) != (exit.returncode() == 1))
                return 3;
            codes.push_back(exit.returncode());
        }
        std::sort(codes.begin(), codes.end());
        return codes == std::vector<int>{1, 11, 12, 13} ? 0 : 4;
    });
    BOOST_TEST(code == 0);
}
