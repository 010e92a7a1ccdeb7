// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE cgroup_scope

#include <loops/process/async_run.hpp>
#include <loops/process/cgroup_scope.hpp>
#include <loops/process/process_group.hpp>
#include <loops/process/start.hpp>

#include "support/child_watchers.hpp"
#include "support/error_check.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <utility>

using namespace test;
using namespace std::chrono_literals;
using loops::cgroup_scope;
using loops::command;

namespace {

bool is_impossible(const char* which)
{
    const auto why = cgroup_scope::why_unsupported();
    if (why)
        skipped(which, *why);
    return why.has_value();
}

command shell(const std::string& script)
{
    command what("/bin/sh", {"-c", script});
    what.descriptors = {{0, command::null_device}, {1, command::null_device}, {2, 2}};
    return what;
}

// Two processes, one of which has left the group and the session of the other.
loops::started_process start_two(const cgroup_scope& scope)
{
    command what = shell("setsid sleep 1000 & exec sleep 1000");
    what.cgroup = scope.folder();
    return loops::start_process(what);
}

bool holds(const cgroup_scope& scope, std::size_t processes)
{
    std::ifstream file(scope.folder() + "/cgroup.procs");
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);)
        ++count;
    return count == processes;
}

} // namespace

BOOST_AUTO_TEST_CASE(is_made_and_removed)
{
    if (is_impossible("cgroup_scope/is_made_and_removed"))
        return;
    const child_ledger ledger;
    std::string folder;
    {
        const cgroup_scope scope;
        const cgroup_scope other;
        folder = scope.folder();
        BOOST_TEST(folder != other.folder());
        BOOST_TEST(std::filesystem::is_directory(folder));
        BOOST_TEST(scope.empty());
    }
    BOOST_TEST(!std::filesystem::exists(folder));
}

BOOST_AUTO_TEST_CASE(kills_all)
{
    if (is_impossible("cgroup_scope/kills_all"))
        return;
    warm_up_background();
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = make_watcher("pidfd");
    const cgroup_scope scope;
    auto process = start_two(scope);
    BOOST_TEST(!scope.empty());
    while (!holds(scope, 2)) // until both are there
        std::this_thread::yield();
    int order = 0;
    watcher->async_wait(
        std::move(process), asio::bind_executor(loop.get_executor(),
                                [&](loops::error_code ec, const loops::child_exit& exit) {
                                    BOOST_TEST(!ec, ec.message());
                                    BOOST_TEST(exit.term_signal() == SIGKILL);
                                    ++order;
                                }));
    scope.async_wait_empty(loop, [&](loops::error_code ec) {
        BOOST_TEST(!ec);
        BOOST_TEST(scope.empty());
        ++order;
    });
    scope.kill();
    BOOST_TEST(order == 0);
    loop.run();
    BOOST_TEST(order == 2);
    watcher->close();
}

BOOST_AUTO_TEST_CASE(an_empty_one_is_told_at_once)
{
    if (is_impossible("cgroup_scope/an_empty_one_is_told_at_once"))
        return;
    asio::io_context loop;
    std::optional<cgroup_scope> scope(std::in_place);
    auto first = scope->async_wait_empty(loop, asio::use_future);
    loop.run();
    BOOST_CHECK_NO_THROW(first.get());
}

BOOST_AUTO_TEST_CASE(a_wait_is_cancelled)
{
    if (is_impossible("cgroup_scope/a_wait_is_cancelled"))
        return;
    warm_up_background();
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = make_watcher("pidfd");
    {
        const cgroup_scope scope;
        auto process = start_two(scope);
        asio::cancellation_signal cancel;
        int calls = 0;
        scope.async_wait_empty(
            loop, asio::bind_cancellation_slot(cancel.slot(), [&](loops::error_code ec) {
                BOOST_TEST((ec == asio::error::operation_aborted));
                ++calls;
            }));
        cancel.emit(asio::cancellation_type::partial);
        loop.run();
        BOOST_TEST(calls == 1);
        BOOST_TEST(!scope.empty());
        watcher->async_wait(std::move(process), asio::use_future).wait_for(0s);
    }
    // The destructor has killed them.
    while (::waitpid(-1, nullptr, WNOHANG) >= 0)
        std::this_thread::yield();
    watcher->close();
}

BOOST_AUTO_TEST_CASE(what_cannot_be_made)
{
    check_error([] { const cgroup_scope scope({}, "/nonexistent/folder"); },
        loops::error_code(ENOENT, boost::system::system_category()), "/nonexistent/folder");
    const auto why = cgroup_scope::why_unsupported("/nonexistent/folder");
    BOOST_REQUIRE(why.has_value());
    BOOST_TEST(why->find("/nonexistent/folder") != std::string::npos);
}

namespace {

// Whether a cgroup that is made here has a controller.
bool has_controller(const std::string& file)
{
    const cgroup_scope scope;
    return std::filesystem::exists(scope.folder() + '/' + file);
}

} // namespace

// Without the controllers nothing is started, and nothing is left.
BOOST_AUTO_TEST_CASE(limits_that_cannot_be_kept)
{
    if (is_impossible("cgroup_scope/limits_that_cannot_be_kept"))
        return;
    if (has_controller("memory.max"))
        return skipped("cgroup_scope/limits_that_cannot_be_kept", "they can be kept here");
    const child_ledger ledger;
    loops::cgroup_limits limits;
    limits.memory = 1 << 20;
    check_error([&] { const cgroup_scope scope(limits); },
        boost::system::errc::make_error_code(boost::system::errc::not_supported), "memory.max");

    asio::io_context loop;
    const auto watcher = make_watcher("pidfd");
    loops::group_options options;
    options.watcher = watcher;
    options.tree.kind = loops::process_tree::cgroup;
    options.tree.limits.cpus = 0.5;
    loops::process_group group(loop, options);
    int calls = 0;
    group.async_run(shell("exit 0"), [&](loops::error_code ec, const loops::child_exit&) {
        BOOST_TEST((ec == boost::system::errc::not_supported), ec.message());
        BOOST_TEST(ec.message().find("cgroup") != std::string::npos);
        ++calls;
    });
    loop.run();
    BOOST_TEST(calls == 1);
    watcher->close();
}

BOOST_AUTO_TEST_CASE(a_limit_of_processes)
{
    if (is_impossible("cgroup_scope/a_limit_of_processes"))
        return;
    if (!has_controller("pids.max"))
        return skipped(
            "cgroup_scope/a_limit_of_processes", "no controller of processes is delegated to us");
    asio::io_context loop;
    loops::run_options options;
    options.watcher = make_watcher("pidfd");
    options.tree.kind = loops::process_tree::cgroup;
    options.tree.limits.processes = 1;
    int calls = 0;
    loops::async_run(shell("sleep 0"), options,
        asio::bind_executor(
            loop.get_executor(), [&](loops::error_code ec, const loops::run_result& result) {
                BOOST_TEST(!ec, ec.message());
                BOOST_TEST(result.exit.returncode() != 0); // the shell could not fork
                ++calls;
            }));
    loop.run();
    BOOST_TEST(calls == 1);
    options.watcher->close();
}

// What its processes made below it goes with it.
BOOST_AUTO_TEST_CASE(with_cgroups_of_its_own)
{
    if (is_impossible("cgroup_scope/with_cgroups_of_its_own"))
        return;
    std::string folder;
    {
        const cgroup_scope scope;
        folder = scope.folder();
        std::filesystem::create_directories(folder + "/inner/innermost");
        const cgroup_scope below({}, folder + "/inner");
    }
    BOOST_TEST(!std::filesystem::exists(folder));
}

BOOST_AUTO_TEST_CASE(limits_that_make_no_sense)
{
    for (const double each : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), 1e30})
    {
        loops::cgroup_limits limits;
        limits.cpus = each;
        check_error([&] { const cgroup_scope scope(limits); },
            boost::system::errc::make_error_code(boost::system::errc::invalid_argument), "CPU");
    }
}

// A signal may outlive the wait, and what is emitted then does nothing.
BOOST_AUTO_TEST_CASE(a_signal_outlives_the_wait)
{
    if (is_impossible("cgroup_scope/a_signal_outlives_the_wait"))
        return;
    asio::cancellation_signal cancel;
    {
        asio::io_context loop;
        const cgroup_scope scope;
        scope.async_wait_empty(loop, asio::bind_cancellation_slot(cancel.slot(),
                                         [](loops::error_code ec) { BOOST_TEST(!ec); }));
        loop.run();
        cancel.emit(asio::cancellation_type::terminal);
    }
    cancel.emit(asio::cancellation_type::terminal);
}

// Where the process ends by itself, too, nothing outlives it.
BOOST_AUTO_TEST_CASE(a_run_in_a_cgroup)
{
    if (is_impossible("cgroup_scope/a_run_in_a_cgroup"))
        return;
    warm_up_background();
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = make_watcher("pidfd");
    loops::run_options options;
    options.watcher = watcher;
    options.tree.kind = loops::process_tree::cgroup;
    options.drain = 1h; // nobody holds the output
    int calls = 0;
    loops::async_run(shell("setsid sleep 1000 & cut -d: -f3 /proc/self/cgroup; exit 7"), options,
        asio::bind_executor(
            loop.get_executor(), [&](loops::error_code ec, loops::run_result result) {
                BOOST_TEST(!ec);
                BOOST_TEST(result.exit.exit_code() == 7);
                BOOST_TEST(result.output.find("/loops-") != std::string::npos);
                BOOST_TEST(!result.output_cut);
                ++calls;
            }));
    loop.run();
    BOOST_TEST(calls == 1);
    watcher->close();
}
