// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_runs

#include <loops/backend.hpp>
#include <loops/event_loop.hpp>
#include <loops/process/async_run.hpp>

#include "support/child_watchers.hpp"
#include "support/error_check.hpp"
#include "support/faults.hpp"
#include "support/latch.hpp"
#include "support/run_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace test;
using namespace std::chrono_literals;
using loops::command;
using loops::run_options;
using loops::run_result;

// Programs that are run, fed and stopped, with each watcher behind them.

namespace {

command shell(const std::string& script)
{
    return {"/bin/sh", {"-c", script}};
}

struct ended
{
    std::atomic<std::size_t> calls{0};
    loops::error_code ec;
    run_result result;

    auto handler()
    {
        return [this](const loops::error_code& how, run_result what) {
            ++calls;
            ec = how;
            result = std::move(what);
        };
    }
};

template <class Setup>
struct fixture : run_fixture<Setup, run_options>
{
    using run_fixture<Setup, run_options>::loop;

    // Cancels it when it has said two lines, or one that is not a number. Gives the number.
    int run_and_cancel(const command& what, run_options how, ended& end)
    {
        asio::cancellation_signal signal;
        int number = 0;
        int lines = 0;
        how.on_output = [&](std::string_view line) {
            const int said = std::atoi(std::string(line).c_str());
            number = std::max(number, said);
            if (++lines == 2 || (said == 0 && !line.empty()))
                asio::post(loop, [&] { signal.emit(asio::cancellation_type::terminal); });
        };
        loops::async_run(what, how,
            asio::bind_cancellation_slot(
                signal.slot(), asio::bind_executor(loop.get_executor(), end.handler())));
        Setup::run(loop);
        BOOST_TEST(end.calls == 1U);
        return number;
    }

    void run(const command& what, const run_options& how, ended& end)
    {
        loops::async_run(what, how, asio::bind_executor(loop.get_executor(), end.handler()));
        BOOST_TEST(end.calls == 0U); // not inline
        Setup::run(loop);
        BOOST_TEST(end.calls == 1U);
    }
};

// Dead, or gone; whoever inherits it need not have reaped it.
bool has_ended(pid_t pid)
{
    std::string text;
    std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/stat"), text);
    const auto end = text.rfind(')');
    return end == std::string::npos || text.compare(end, 3, ") Z") == 0;
}

std::string many_lines(std::size_t number)
{
    std::string text;
    for (std::size_t i = 0; i < number; ++i)
        text += "line " + std::to_string(i) + "\n";
    return text;
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(what_a_program_says, Setup, setups)
{
    fixture<Setup> f;
    ended end;
    f.run(shell("echo out; echo err >&2; exit 7"), f.options(), end);
    BOOST_TEST(!end.ec);
    BOOST_TEST(end.result.exit.exit_code() == 7);
    BOOST_TEST(end.result.output == "out\n");
    BOOST_TEST(end.result.error_output == "err\n");
    BOOST_TEST(!end.result.stopped_by);
    BOOST_TEST(!end.result.output_cut);
    BOOST_TEST((end.result.elapsed > 0ns));
}

// More than a pipe holds, both ways at a time.
BOOST_AUTO_TEST_CASE_TEMPLATE(what_it_is_fed, Setup, setups)
{
    fixture<Setup> f;
    run_options how = f.options();
    how.input = many_lines(50000);
    ended end;
    f.run({"/bin/cat"}, how, end);
    BOOST_TEST(!end.ec);
    BOOST_TEST((end.result.output == how.input));
    ended nothing;
    f.run({"/bin/cat"}, f.options(), nothing);
    BOOST_TEST(nothing.result.output.empty());
    BOOST_TEST(nothing.result.exit.exit_code() == 0);
}

// No SIGPIPE, and no waiting.
BOOST_AUTO_TEST_CASE_TEMPLATE(who_does_not_read_what_it_is_fed, Setup, setups)
{
    fixture<Setup> f;
    run_options how = f.options();
    how.input = many_lines(50000);
    ended end;
    f.run(shell("exec <&-; echo done"), how, end);
    BOOST_TEST(!end.ec);
    BOOST_TEST(end.result.output == "done\n");
    ended open;
    f.run(shell("exit 3"), how, open);
    BOOST_TEST(open.result.exit.exit_code() == 3);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(output_beyond_its_bound_is_counted, Setup, setups)
{
    fixture<Setup> f;
    run_options how = f.options();
    how.input = many_lines(50000);
    how.most_output = 1000;
    ended end;
    f.run(shell("tee /dev/stderr"), how, end);
    BOOST_TEST(!end.ec);
    BOOST_TEST(end.result.output == how.input.substr(0, 1000));
    BOOST_TEST(end.result.error_output == how.input.substr(0, 1000));
    BOOST_TEST(end.result.output_dropped == how.input.size() - 1000);
    BOOST_TEST(end.result.error_output_dropped == how.input.size() - 1000);
    how.most_output = 0;
    ended none;
    f.run(shell("echo out"), how, none);
    BOOST_TEST(none.result.output.empty());
    BOOST_TEST(none.result.output_dropped == 4U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(line_by_line, Setup, setups)
{
    fixture<Setup> f;
    run_options how = f.options();
    how.most_output = 10;
    std::vector<std::string> out;
    std::vector<std::string> err;
    how.on_output = [&](std::string_view line) { out.emplace_back(line); };
    how.on_error = [&](std::string_view line) { err.emplace_back(line); };
    ended end;
    f.run(shell("printf 'one\\n\\n0123456789\\n0123456789abc\\nlast'; echo err >&2"), how, end);
    BOOST_TEST(!end.ec);
    const std::vector<std::string> lines{"one", "", "0123456789", "0123456789", "abc", "last"};
    BOOST_TEST(out == lines, boost::test_tools::per_element());
    BOOST_TEST(err == std::vector<std::string>{"err"}, boost::test_tools::per_element());
    BOOST_TEST(end.result.output.empty());
}

// Lines come while the program runs: it waits for an answer to the first one.
BOOST_AUTO_TEST_CASE_TEMPLATE(lines_come_at_once, Setup, setups)
{
    fixture<Setup> f;
    run_options how = f.options();
    how.on_output = [](std::string_view line) {
        if (line.substr(0, 4) == "pid ")
            ::kill(std::atoi(std::string(line.substr(4)).c_str()), SIGTERM);
    };
    ended end;
    f.run(shell("trap 'exit 5' TERM; echo pid $$; while :; do sleep 0.01; done"), how, end);
    BOOST_TEST(end.result.exit.exit_code() == 5);
}

// The exception is the run's, and the operation goes on.
BOOST_AUTO_TEST_CASE(a_line_whose_function_throws)
{
    fixture<setup<1>> f;
    run_options how = f.options();
    std::vector<std::string> out;
    how.on_output = [&](std::string_view line) {
        out.emplace_back(line);
        if (line == "b" || line == "d")
            throw std::runtime_error(out.back());
    };
    ended end;
    loops::async_run(shell("printf 'a\\nb\\nc\\nd'; exit 4"), how,
        asio::bind_executor(f.loop.get_executor(), end.handler()));
    std::vector<std::string> thrown;
    for (bool over = false; !over;)
    {
        try
        {
            f.loop.run();
            over = true;
        }
        catch (const std::runtime_error& e)
        {
            thrown.emplace_back(e.what());
        }
    }
    BOOST_TEST(
        out == (std::vector<std::string>{"a", "b", "c", "d"}), boost::test_tools::per_element());
    BOOST_TEST(thrown == (std::vector<std::string>{"b", "d"}), boost::test_tools::per_element());
    BOOST_TEST(end.calls == 1U);
    BOOST_TEST(end.result.exit.exit_code() == 4);
}

// What a grandchild holds open does not hold up the end.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_grandchild_that_holds_the_output, Setup, setups)
{
    fixture<Setup> f;
    run_options how = f.options();
    how.drain = 50ms;
    ended end;
    f.run(shell("sleep 100 & echo $!; exit 3"), how, end);
    BOOST_TEST(!end.ec);
    BOOST_TEST(end.result.exit.exit_code() == 3);
    BOOST_TEST(end.result.output_cut);
    const pid_t grandchild = std::atoi(end.result.output.c_str());
    BOOST_REQUIRE(grandchild > 0);
    BOOST_TEST(!has_ended(grandchild)); // it was not asked to end
    ::kill(grandchild, SIGKILL);
}

// Nor is anything lost that was written before the end, however short the time for draining is.
BOOST_AUTO_TEST_CASE_TEMPLATE(nothing_is_lost_at_the_end, Setup, setups)
{
    fixture<Setup> f;
    run_options how = f.options();
    how.drain = 0ns;
    how.input = many_lines(5000);
    for (std::size_t round = 0; round < rounds(10); ++round)
    {
        ended end;
        f.run(shell("cat; cat >&2 </dev/null"), how, end);
        BOOST_TEST((end.result.output == how.input));
        BOOST_TEST(!end.result.output_cut);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(stopped_at_the_deadline, Setup, setups)
{
    fixture<Setup> f;
    run_options how = f.options();
    how.deadline = 20ms;
    ended gentle;
    f.run({"/bin/sleep", {"100"}}, how, gentle);
    BOOST_TEST(gentle.ec == asio::error::timed_out);
    BOOST_TEST(gentle.result.exit.term_signal() == SIGTERM);
    BOOST_TEST((gentle.result.stopped_by == std::size_t(0)));
    ended in_time;
    how.deadline = 100s;
    f.run(shell("exit 2"), how, in_time);
    BOOST_TEST(!in_time.ec);
    BOOST_TEST(in_time.result.exit.exit_code() == 2);
}

// By whichever rung it takes.
BOOST_AUTO_TEST_CASE_TEMPLATE(by_the_whole_ladder, Setup, setups)
{
    fixture<Setup> f;
    run_options how = f.options();
    how.stop = {{SIGTERM, 10ms}, {SIGINT, 10ms}, {SIGKILL, 0ms}};
    ended end;
    // An ignored signal stays so in what the shell starts.
    f.run_and_cancel(shell("trap '' TERM INT; echo ready; while :; do sleep 0.01; done"), how, end);
    BOOST_TEST(end.ec == asio::error::operation_aborted);
    BOOST_TEST(end.result.exit.term_signal() == SIGKILL);
    BOOST_TEST((end.result.stopped_by == std::size_t(2)));
}

// With all that it has started: one that does not heed the signal which ends its parent.
BOOST_AUTO_TEST_CASE_TEMPLATE(the_whole_group, Setup, setups)
{
    const command parent = shell("(trap '' TERM; echo; exec sleep 100) & echo $!; wait");
    fixture<Setup> f;
    run_options how = f.options();
    ended end;
    const pid_t child = f.run_and_cancel(parent, how, end);
    BOOST_TEST(end.ec == asio::error::operation_aborted);
    BOOST_REQUIRE(child > 0);
    BOOST_TEST(eventually([&] { return has_ended(child); }));
    how.tree.kind = loops::process_tree::process;
    how.drain = 10ms;
    ended alone;
    const pid_t other = f.run_and_cancel(parent, how, alone);
    BOOST_REQUIRE(other > 0);
    BOOST_TEST(!has_ended(other));
    ::kill(other, SIGKILL);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cancelled, Setup, setups)
{
    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
             asio::cancellation_type::total})
    {
        fixture<Setup> f;
        asio::cancellation_signal signal;
        ended end;
        run_options how = f.options();
        // When the program runs.
        how.on_output = [&](std::string_view) {
            asio::post(f.loop, [&signal, type] { signal.emit(type); });
        };
        loops::async_run(shell("echo ready; exec sleep 100"), how,
            asio::bind_cancellation_slot(
                signal.slot(), asio::bind_executor(f.loop.get_executor(), end.handler())));
        run(f.loop, 1); // whoever emits is to be the one that runs
        BOOST_TEST(end.calls == 1U);
        BOOST_TEST(end.ec == asio::error::operation_aborted);
        BOOST_TEST(end.result.exit.term_signal() == SIGTERM);
        BOOST_TEST((end.result.stopped_by == std::size_t(0)));
        signal.emit(type); // meets nothing
        run(f.loop, 1);
    }
}

// A process that has ended is not stopped any more: there is less of its output.
BOOST_AUTO_TEST_CASE(cancelled_while_it_drains)
{
    fixture<setup<1>> f;
    asio::cancellation_signal signal;
    run_options how = f.options();
    how.drain = 100s;
    ended end;
    loops::async_run(shell("sleep 100 & echo $!; exit 3"), how,
        asio::bind_cancellation_slot(
            signal.slot(), asio::bind_executor(f.loop.get_executor(), end.handler())));
    asio::steady_timer later(f.loop, 100ms);
    std::function<void(const loops::error_code&)> again = [&](const loops::error_code&) {
        signal.emit(asio::cancellation_type::terminal);
        if (end.calls > 0)
            return;
        later.expires_after(10ms);
        later.async_wait(again);
    };
    later.async_wait(again);
    run(f.loop, 1);
    BOOST_TEST(end.calls == 1U);
    // Or stopped, where the machine took long to run it.
    BOOST_TEST((!end.ec || end.ec == asio::error::operation_aborted));
    if (!end.ec)
    {
        BOOST_TEST(end.result.exit.exit_code() == 3);
        BOOST_TEST(end.result.output_cut);
        ::kill(std::atoi(end.result.output.c_str()), SIGKILL);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_cannot_be_run, Setup, setups)
{
    fixture<Setup> f;
    const auto refusal = [&](const command& what, const run_options& how) {
        ended end;
        f.run(what, how, end);
        BOOST_TEST(end.result.exit.pid() == 0);
        return end.ec;
    };
    BOOST_TEST(refusal({"/nonexistent/program"}, f.options()) ==
               boost::system::errc::no_such_file_or_directory);
    run_options wrong = f.options();
    wrong.stop.clear();
    BOOST_TEST(refusal(shell("exit 0"), wrong) == boost::system::errc::invalid_argument);
    wrong = f.options();
    wrong.deadline = -1ns;
    BOOST_TEST(refusal(shell("exit 0"), wrong) == boost::system::errc::invalid_argument);
    wrong = f.options();
    wrong.drain = -1ns;
    BOOST_TEST(refusal(shell("exit 0"), wrong) == boost::system::errc::invalid_argument);
    {
        const faults no_pipe{{"pipe2", EMFILE}};
        const auto ec = refusal(shell("exit 0"), f.options());
        BOOST_TEST(ec == boost::system::errc::too_many_files_open);
        BOOST_TEST(ec.message().find("pipe2") == 0U);
    }
    f.watcher->attach_loop(nullptr);
    BOOST_TEST((refusal(shell("exit 0"), f.options()) == loops::error::watcher_inactive));
    f.watcher->close();
    BOOST_TEST((refusal(shell("exit 0"), f.options()) == loops::error::watcher_inactive));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_watcher_that_is_closed, Setup, setups)
{
    fixture<Setup> f;
    run_options how = f.options();
    how.on_output = [&](std::string_view) { f.watcher->close(); };
    ended end;
    f.run(shell("echo ready; exec sleep 100"), how, end);
    BOOST_TEST(end.ec == asio::error::operation_aborted);
}

// The process goes with its loop, and is no zombie.
BOOST_AUTO_TEST_CASE(a_loop_that_goes)
{
    warm_up_background();
    const child_ledger ledger;
    const auto watcher = make_watcher();
    ended end;
    {
        asio::io_context loop;
        watcher->attach_loop(loop);
        run_options how;
        how.watcher = watcher;
        how.on_output = [&](std::string_view) { loop.stop(); };
        loops::async_run(shell("echo ready; exec sleep 100"), how,
            asio::bind_executor(loop.get_executor(), end.handler()));
        loop.run();
    }
    BOOST_TEST(end.calls == 0U);
    BOOST_TEST(eventually([] {
        siginfo_t info{};
        return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0;
    }));
    watcher->close();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_pipeline, Setup, setups)
{
    fixture<Setup> f;
    std::size_t calls = 0;
    loops::error_code ec;
    std::vector<run_result> results;
    const auto run_all = [&](const loops::pipeline& what, const run_options& how) {
        calls = 0;
        loops::async_run(what, how,
            asio::bind_executor(f.loop.get_executor(),
                [&](const loops::error_code& e, std::vector<run_result> all) {
                    ++calls;
                    ec = e;
                    results = std::move(all);
                }));
        BOOST_TEST(calls == 0U);
        Setup::run(f.loop);
        BOOST_TEST(calls == 1U);
    };
    run_options how = f.options();
    how.input = many_lines(50000);
    run_all({{"/bin/cat"}, shell("sort -r; echo sorted >&2; exit 3"),
                shell("head -n 1; cat >/dev/null")},
        how);
    BOOST_TEST(!ec);
    BOOST_REQUIRE(results.size() == 3U);
    BOOST_TEST(results[0].exit.exit_code() == 0);
    BOOST_TEST(results[1].exit.exit_code() == 3);
    BOOST_TEST(results[1].error_output == "sorted\n");
    BOOST_TEST(results[2].output == "line 9999\n");
    // One that ends before all is read has those before it end: by SIGPIPE.
    run_all({{"/usr/bin/yes"}, {"/usr/bin/head", {"-c", "10"}}}, f.options());
    BOOST_TEST(!ec);
    BOOST_REQUIRE(results.size() == 2U);
    BOOST_TEST(results[0].exit.term_signal() == SIGPIPE);
    BOOST_TEST(results[1].output.size() == 10U);
    // One that cannot be started has those before it killed.
    run_all({{"/usr/bin/yes"}, {"/bin/sleep", {"100"}}, {"/nonexistent/program"}}, f.options());
    BOOST_TEST(ec == boost::system::errc::no_such_file_or_directory);
    BOOST_REQUIRE(results.size() == 2U);
    BOOST_TEST(results[1].exit.term_signal() == SIGKILL);
    // All are stopped.
    how = f.options();
    how.deadline = 20ms;
    run_all({{"/bin/sleep", {"100"}}, {"/bin/cat"}, {"/bin/sleep", {"100"}}}, how);
    BOOST_TEST(ec == asio::error::timed_out);
    BOOST_REQUIRE(results.size() == 3U);
    BOOST_TEST(results[0].exit.term_signal() == SIGTERM);
    BOOST_TEST(results[2].exit.term_signal() == SIGTERM);
    run_all(loops::pipeline(std::vector<command>()), f.options());
    BOOST_TEST(ec == boost::system::errc::invalid_argument);
    BOOST_TEST(results.empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(many_at_a_time, Setup, setups)
{
    fixture<Setup> f;
    // Each has three descriptors, of which Asio's reactor by select() takes those below 1,024.
    const std::size_t most = loops::backend() == loops::backend_type::select ? 200 : 1000;
    std::vector<ended> all(std::min(rounds(50), most));
    for (std::size_t i = 0; i < all.size(); ++i)
        loops::async_run(
            shell("cat; exit " + std::to_string(i % 200)),
            [&] {
                run_options how = f.options();
                how.input = std::to_string(i);
                return how;
            }(),
            asio::bind_executor(f.loop.get_executor(), all[i].handler()));
    Setup::run(f.loop);
    for (std::size_t i = 0; i < all.size(); ++i)
    {
        BOOST_TEST(all[i].calls == 1U);
        BOOST_TEST(all[i].result.exit.exit_code() == static_cast<int>(i % 200));
        BOOST_TEST(all[i].result.output == std::to_string(i));
    }
}

BOOST_AUTO_TEST_CASE(any_token)
{
    fixture<setup<1>> f;
    const auto executor = f.loop.get_executor();
    auto future = loops::async_run(
        shell("exit 6"), f.options(), asio::bind_executor(executor, asio::use_future));
    f.loop.run();
    BOOST_TEST(future.get().exit.exit_code() == 6);
    ended end;
    auto later = loops::async_run(shell("exit 5"), f.options(), asio::deferred);
    std::move(later)(asio::bind_executor(executor, end.handler()));
    f.loop.restart();
    f.loop.run();
    BOOST_TEST(end.result.exit.exit_code() == 5);
#if defined(LOOPS_HAS_COROUTINES)
    int code = 0;
    asio::co_spawn(
        f.loop,
        [&]() -> asio::awaitable<void> {
            const run_result result =
                co_await loops::async_run(shell("exit 4"), f.options(), asio::use_awaitable);
            code = result.exit.exit_code();
        },
        asio::detached);
    f.loop.restart();
    f.loop.run();
    BOOST_TEST(code == 4);
#endif
}

// Where the handler has no executor, the loop that runs here.
BOOST_AUTO_TEST_CASE(on_the_running_loop)
{
    fixture<setup<1>> f;
    ended end;
    bool on_loop = false;
    loops::event_loop own;
    f.watcher->attach_loop(own);
    asio::post(own, [&] {
        loops::async_run(shell("exit 3"), f.options(),
            [&](const loops::error_code& ec, const run_result& result) {
                on_loop = own.get_executor().running_in_this_thread();
                end.ec = ec;
                end.result = result;
            });
    });
    own.run();
    BOOST_TEST(on_loop);
    BOOST_TEST(end.result.exit.exit_code() == 3);
    f.watcher->attach_loop(f.loop);
}
