// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What Loops does by the clock, with real processes, in hours that take no time.

#define BOOST_TEST_MODULE virtual_time_rules

#include <loops/policy/virtual_time_policy.hpp>
#include <loops/process/async_run.hpp>
#include <loops/process/process_group.hpp>
#include <loops/process/supervisor.hpp>
#include <loops/run.hpp>
#include <loops/watcher/multi_loop_child_watcher.hpp>

#include "support/child_processes.hpp"
#include "support/latch.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;
using loops::loop_clock;
using test::child_ledger;

namespace {

// A policy for the test's thread, whose time jumps when it is let.
class virtual_world
{
public:
    explicit virtual_world(bool jumps)
        : policy(std::make_shared<loops::virtual_time_policy>(options(jumps))), scope(policy)
    {}

    static loops::virtual_time_options options(bool jumps)
    {
        loops::virtual_time_options made;
        made.auto_advance = jumps;
        return made;
    }

    loops::event_loop& loop() { return static_cast<loops::event_loop&>(policy->get_event_loop()); }

    // Runs handlers, in real time where nothing jumps, until a condition holds.
    template <class Condition>
    bool run_until(Condition done)
    {
        return test::eventually([&] {
            loop().restart();
            loop().poll();
            return done();
        });
    }

    const std::shared_ptr<loops::virtual_time_policy> policy;
    const loops::policy_scope scope;
};

loops::command shell(const char* script)
{
    return {"/bin/sh", {"-c", script}};
}

} // namespace

BOOST_AUTO_TEST_CASE(a_supervisor_backs_off)
{
    const child_ledger ledger;
    virtual_world world(true);
    const auto begin = loop_clock::now();
    std::vector<loop_clock::duration> starts;
    loops::supervisor_options options;
    options.backoff = {1h, 2, 5h, 0, 1min};
    options.most_restarts = 6;
    options.restart_window = 1000h;
    loops::supervisor workers(
        world.loop(),
        [&](std::size_t) {
            starts.push_back(loop_clock::now() - begin);
            return loops::command("/bin/false");
        },
        1, options);
    std::optional<loops::error_code> end;
    workers.async_run([&](loops::error_code ec) { end = ec; });
    world.loop().run();
    BOOST_REQUIRE(end);
    BOOST_TEST((*end == loops::error::restart_limit), end->message());
    const std::vector<loop_clock::duration> expected{0h, 1h, 3h, 7h, 12h, 17h, 22h};
    BOOST_TEST((starts == expected));
}

BOOST_AUTO_TEST_CASE(a_worker_that_does_not_become_ready_is_replaced)
{
    const child_ledger ledger;
    virtual_world world(true);
    const auto begin = loop_clock::now();
    loops::supervisor_options options;
    options.ready = loops::readiness::descriptor;
    options.ready_timeout = 2h;
    options.backoff = {30min, 1, 30min, 0, 24h};
    options.most_restarts = 2;
    options.restart_window = 1000h;
    loops::supervisor workers(world.loop(), shell("exec sleep 1000"), 1, options);
    std::optional<loops::error_code> end;
    workers.async_run([&](loops::error_code ec) { end = ec; });
    world.loop().run();
    BOOST_REQUIRE(end);
    BOOST_TEST((*end == loops::error::restart_limit), end->message());
    // Three processes, each stopped after two hours and followed by half an hour; the ladder's patience is
    // over at once where the process takes real time to end.
    const auto took = loop_clock::now() - begin;
    BOOST_TEST((took >= 7h && took <= 7h + 3 * 5s));
}

BOOST_AUTO_TEST_CASE(a_deadline_and_a_ladder)
{
    const child_ledger ledger;
    virtual_world world(false);
    const auto begin = loop_clock::now();
    std::vector<std::string> lines;
    loops::run_options options;
    options.deadline = 10h;
    options.stop = {{SIGINT, 2h}, {SIGTERM, 3h}, {SIGKILL, 0s}};
    options.on_output = [&](std::string_view line) { lines.emplace_back(line); };
    std::optional<loops::error_code> end;
    loops::run_result got;
    asio::post(world.loop(), [&] {
        loops::async_run(shell("trap 'echo INT' INT; trap 'echo TERM' TERM; echo ready; while :; "
                               "do sleep 0.01; done"),
            options, [&](loops::error_code ec, loops::run_result result) {
                end = ec;
                got = std::move(result);
            });
    });
    const auto says = [&](std::size_t line, const char* what) {
        BOOST_TEST(world.run_until([&] { return lines.size() > line; }));
        BOOST_TEST(lines[line] == what);
    };
    says(0, "ready");
    world.policy->advance(10h - 1ns);
    world.loop().poll();
    BOOST_TEST(lines.size() == 1U);
    world.policy->advance(1ns);
    says(1, "INT");
    world.policy->advance(2h);
    says(2, "TERM");
    BOOST_TEST(!end);
    world.policy->advance(3h);
    BOOST_TEST(world.run_until([&] { return end.has_value(); }));
    BOOST_TEST((end == asio::error::timed_out), end->message());
    BOOST_TEST(got.exit.term_signal() == SIGKILL);
    BOOST_TEST((got.stopped_by == 2U));
    BOOST_TEST((got.elapsed == 15h));
    BOOST_TEST((loop_clock::now() - begin == 15h));
}

// The exit is noticed by a look, of which there are as many as the time has intervals.
BOOST_AUTO_TEST_CASE(children_are_looked_at)
{
    const child_ledger ledger;
    virtual_world world(false);
    const auto watcher =
        std::make_shared<loops::multi_loop_child_watcher>(loops::look_interval{1h, 1h});
    test::gated_child child;
    bool ended = false;
    asio::post(world.loop(), [&] {
        watcher->async_wait(
            child.pid(), [&](loops::error_code, loops::child_exit) { ended = true; });
    });
    world.loop().poll();
    child.let_go();
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT);
    world.policy->advance(59min);
    world.loop().poll();
    BOOST_TEST(!ended);
    world.policy->advance(1min);
    BOOST_TEST(world.run_until([&] { return ended; }));
    watcher->close();
}

// The same by itself: the time passes as fast as there is a look.
BOOST_AUTO_TEST_CASE(children_are_looked_at_by_itself)
{
    const child_ledger ledger;
    virtual_world world(true);
    const auto watcher =
        std::make_shared<loops::multi_loop_child_watcher>(loops::look_interval{1h, 1h});
    const pid_t child = test::child_that_exits(7);
    int code = 0;
    asio::post(world.loop(), [&] {
        watcher->async_wait(
            child, [&](loops::error_code, loops::child_exit exit) { code = exit.returncode(); });
    });
    world.loop().run();
    BOOST_TEST(code == 7);
    watcher->close();
}

BOOST_AUTO_TEST_CASE(a_rolling_restart_and_a_stop)
{
    const child_ledger ledger;
    virtual_world world(false);
    loops::supervisor_options options;
    options.ready = loops::readiness::descriptor;
    options.ready_timeout = 0s;
    options.stop = {{SIGTERM, 1h}, {SIGKILL, 0s}};
    // The first one of each worker does not heed SIGTERM.
    loops::supervisor workers(
        world.loop(), shell("trap : TERM; echo >&3; while :; do sleep 0.01; done"), 2, options);
    std::optional<loops::error_code> end;
    std::optional<loops::error_code> restarted;
    workers.async_run([&](loops::error_code ec) { end = ec; });
    const auto are_ready = [&] {
        std::size_t ready = 0;
        for (const auto& each : workers.status())
            ready += each.state == loops::worker_state::ready ? 1 : 0;
        return ready == 2;
    };
    BOOST_TEST(world.run_until(are_ready));
    workers.async_restart([&](loops::error_code ec) { restarted = ec; });
    BOOST_TEST(world.run_until([&] {
        if (!restarted)
            world.policy->advance(10min); // each old process has its hour
        return restarted.has_value();
    }));
    BOOST_TEST(!*restarted, restarted->message());
    BOOST_TEST(world.run_until(are_ready));
    for (const auto& each : workers.status())
        BOOST_TEST(each.starts == 2U);
    workers.stop();
    world.loop().poll();
    BOOST_TEST(!end);
    world.policy->advance(1h);
    BOOST_TEST(world.run_until([&] { return end.has_value(); }));
    BOOST_TEST(!*end, end->message());
}
