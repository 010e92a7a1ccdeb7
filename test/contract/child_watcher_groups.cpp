// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_groups

#include <loops/process/process_group.hpp>

#include "support/child_watchers.hpp"
#include "support/error_check.hpp"
#include "support/latch.hpp"
#include "support/run_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>

using namespace test;
using namespace std::chrono_literals;
using loops::command;

// Groups of processes, with each watcher behind them.

namespace {

command shell(const std::string& script)
{
    command what("/bin/sh", {"-c", script});
    what.descriptors = {{0, command::null_device}, {1, command::null_device}, {2, 2}};
    return what;
}

template <class Setup>
struct fixture : run_fixture<Setup, loops::group_options>
{
    using run_fixture<Setup, loops::group_options>::loop;

    outcome_ptr run(loops::process_group& group, const command& what)
    {
        const recorder record;
        group.async_run(what, asio::bind_executor(loop.get_executor(), record));
        BOOST_TEST(record.result->calls() == 0U);
        return record.result;
    }
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(each_is_told, Setup, setups)
{
    fixture<Setup> f;
    loops::process_group group(f.loop, f.options());
    std::vector<outcome_ptr> results;
    for (int i = 0; i < 20; ++i)
        results.push_back(f.run(group, shell("exit " + std::to_string(i))));
    std::atomic<int> all{0};
    group.async_wait_all(asio::bind_executor(f.loop.get_executor(), [&](loops::error_code ec) {
        all = ec ? -1 : 1;
        BOOST_TEST(group.alive() == 0U);
    }));
    BOOST_TEST(all == 0);
    Setup::run(f.loop);
    BOOST_TEST(all == 1);
    for (int i = 0; i < 20; ++i)
    {
        BOOST_TEST(results[static_cast<std::size_t>(i)]->calls() == 1U);
        BOOST_TEST(results[static_cast<std::size_t>(i)]->exit().exit_code() == i);
    }
}

// At most so many live, and they have their turns in order.
BOOST_AUTO_TEST_CASE_TEMPLATE(the_bound, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.most_alive = 3;
    loops::process_group group(f.loop, options);
    std::atomic<std::size_t> ended{0};
    std::atomic<std::size_t> most{0};
    constexpr std::size_t number = 20;
    for (std::size_t i = 0; i < number; ++i)
        group.async_run(shell("exit 0"),
            asio::bind_executor(f.loop.get_executor(), [&](loops::error_code ec,
                                                           const loops::child_exit&) {
                ended += ec ? 0U : 1U;
                const std::size_t now = group.alive();
                for (std::size_t seen = most; now > seen && !most.compare_exchange_weak(seen, now);)
                {}
            }));
    Setup::run(f.loop);
    BOOST_TEST(ended == number);
    BOOST_TEST(most <= 3U);
    BOOST_TEST(group.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(one_after_the_other)
{
    fixture<setup<1>> f;
    auto options = f.options();
    options.most_alive = 1;
    loops::process_group group(f.loop, options);
    std::vector<int> order;
    for (int i = 0; i < 10; ++i)
        group.async_run(shell("exit " + std::to_string(i)),
            asio::bind_executor(
                f.loop.get_executor(), [&](loops::error_code, const loops::child_exit& exit) {
                    order.push_back(exit.exit_code());
                }));
    f.loop.run();
    BOOST_TEST(order == (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}),
        boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(whichever_is_next, Setup, setups)
{
    fixture<Setup> f;
    loops::process_group group(f.loop, f.options());
    const auto slow = f.run(group, shell("exec sleep 100"));
    const auto fast = f.run(group, shell("exit 3"));
    const recorder next;
    group.async_wait_any(asio::bind_executor(
        f.loop.get_executor(), [&, next](loops::error_code ec, const loops::child_exit& exit) {
            next(ec, exit);
            group.stop();
        }));
    Setup::run(f.loop);
    BOOST_TEST(next.result->exit().exit_code() == 3);
    BOOST_TEST(fast->exit().exit_code() == 3);
    BOOST_TEST(slow->exit().term_signal() == SIGTERM);
    // Now there is none.
    const recorder none;
    group.async_wait_any(asio::bind_executor(f.loop.get_executor(), none));
    Setup::run(f.loop);
    BOOST_TEST(none.result->ec() == asio::error::not_found);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(all_are_stopped, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.most_alive = 2;
    options.stop = {{SIGTERM, 20ms}, {SIGKILL, 0ms}};
    loops::process_group group(f.loop, options);
    const auto gentle = f.run(group, shell("exec sleep 100"));
    int ends[2];
    require(::pipe2(ends, O_CLOEXEC) == 0, "pipe2");
    command ignoring = shell("trap '' TERM; echo; while :; do sleep 0.01; done");
    ignoring.descriptors[1] = ends[1];
    const auto deaf = f.run(group, ignoring);
    const auto queued = f.run(group, shell("exit 0"));
    asio::readable_pipe ready(f.loop, ends[0]);
    char byte = 0;
    ready.async_read_some(
        asio::buffer(&byte, 1), [&](loops::error_code, std::size_t) { group.stop(); });
    Setup::run(f.loop);
    ::close(ends[1]);
    ready.close();
    BOOST_TEST(gentle->exit().term_signal() == SIGTERM);
    BOOST_TEST(deaf->exit().term_signal() == SIGKILL);
    BOOST_TEST(queued->ec() == asio::error::operation_aborted);
    // It can be used again.
    const auto again = f.run(group, shell("exit 4"));
    Setup::run(f.loop);
    BOOST_TEST(again->exit().exit_code() == 4);
}

BOOST_AUTO_TEST_CASE(cancelled)
{
    fixture<setup<1>> f;
    auto options = f.options();
    options.most_alive = 1;
    loops::process_group group(f.loop, options);
    std::deque<asio::cancellation_signal> signals(4);
    std::vector<recorder> records(4);
    const auto bound = [&](std::size_t i) {
        return asio::bind_cancellation_slot(
            signals[i].slot(), asio::bind_executor(f.loop.get_executor(), records[i]));
    };
    group.async_run(shell("exec sleep 100"), bound(0));
    group.async_run(shell("exit 0"), bound(1)); // waits for its turn
    group.async_wait_any(bound(2));
    bool all = false;
    group.async_wait_all(asio::bind_cancellation_slot(signals[3].slot(),
        asio::bind_executor(f.loop.get_executor(),
            [&](loops::error_code ec) { all = ec == asio::error::operation_aborted; })));
    f.loop.poll();
    BOOST_TEST(group.alive() == 1U);
    BOOST_TEST(group.waiting() == 1U);
    for (const std::size_t i : {3U, 2U, 1U})
        signals[i].emit(asio::cancellation_type::total);
    f.loop.poll();
    BOOST_TEST(all);
    BOOST_TEST(records[2].result->ec() == asio::error::operation_aborted);
    BOOST_TEST(records[1].result->ec() == asio::error::operation_aborted);
    BOOST_TEST(group.waiting() == 0U);
    BOOST_TEST(records[0].result->calls() == 0U);
    signals[0].emit(asio::cancellation_type::terminal);
    f.loop.run();
    BOOST_TEST(records[0].result->exit().term_signal() == SIGTERM);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(limits_for_each, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.limits.push_back({RLIMIT_FSIZE, 0, 0});
    loops::process_group group(f.loop, options);
    const std::string file =
        std::filesystem::temp_directory_path() / ("loops-limited-" + std::to_string(::getpid()));
    const auto limited = f.run(group, shell("echo much > " + file));
    Setup::run(f.loop);
    BOOST_TEST((limited->exit().term_signal() == SIGXFSZ || limited->exit().exit_code() != 0));
    std::filesystem::remove(file);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_cannot_be_started, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.most_alive = 1;
    loops::process_group group(f.loop, options);
    const auto missing = f.run(group, {"/nonexistent/program"});
    const auto next = f.run(group, shell("exit 2"));
    Setup::run(f.loop);
    BOOST_TEST(missing->ec() == boost::system::errc::no_such_file_or_directory);
    BOOST_TEST(next->exit().exit_code() == 2);
    f.watcher->attach_loop(nullptr);
    const auto inactive = f.run(group, shell("exit 2"));
    Setup::run(f.loop);
    BOOST_TEST((inactive->ec() == loops::error::watcher_inactive));
    options.stop.clear();
    BOOST_TEST((error_of([&] { loops::process_group(f.loop, options); }) ==
                boost::system::errc::invalid_argument));
}

// The group goes: what lives is stopped, and told.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_group_that_goes, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.most_alive = 1;
    std::optional<loops::process_group> group(std::in_place, f.loop, options);
    const auto living = f.run(*group, shell("exec sleep 100"));
    const auto queued = f.run(*group, shell("exit 2"));
    group.reset();
    Setup::run(f.loop);
    BOOST_TEST(queued->ec() == asio::error::operation_aborted);
    BOOST_TEST((
        living->exit().term_signal() == SIGTERM || living->ec() == asio::error::operation_aborted));
}

// The loop goes: nothing lives on, and nothing is called.
BOOST_AUTO_TEST_CASE(a_loop_that_goes)
{
    warm_up_background();
    const child_ledger ledger;
    const auto watcher = make_watcher();
    const recorder record;
    {
        asio::io_context loop;
        watcher->attach_loop(loop);
        loops::group_options options;
        options.watcher = watcher;
        loops::process_group group(loop, options);
        group.async_run(shell("exec sleep 100"), asio::bind_executor(loop.get_executor(), record));
        while (group.alive() == 0)
            loop.run_one();
    }
    BOOST_TEST(record.result->calls() == 0U);
    BOOST_TEST(eventually([] {
        siginfo_t info{};
        return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0;
    }));
    watcher->close();
}
