// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_programs_forked

#include <loops/backend.hpp>
#include <loops/process/async_run.hpp>
#include <loops/process/cgroup_scope.hpp>
#include <loops/process/process_group.hpp>
#include <loops/process/supervisor.hpp>

#include "support/arguments.hpp"
#include "support/child_watchers.hpp"
#include "support/forked.hpp"
#include "support/run_fixture.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

using namespace test;
using namespace std::chrono_literals;
using loops::command;
using loops::error;

// A fork amid programs that run: they are the parent's, and a forked child neither ends them nor takes
// what they write, whether it goes on with the loop or destroys it.

namespace {

bool is_impossible(const char* which)
{
    const bool no = loops::backend() == loops::backend_type::io_uring;
    if (no)
        skipped(which,
            "Asio 1.81 shares the ring with a forked child, which takes the parent's operations");
    return no;
}

// Each of what can run a program, and how it ended; what is left out ended with error::forked.
struct programs
{
    asio::io_context loop;
    const asio::steady_timer reactor{loop};
    const child_ledger ledger;
    const std::shared_ptr<loops::child_watcher> watcher = make_watcher();
    std::optional<loops::process_group> group;
    std::optional<loops::supervisor> supervisor;
    loops::error_code run_ec;
    loops::error_code group_ec;
    loops::error_code supervisor_ec;
    loops::run_result result;
    int calls = 0;

    programs()
    {
        watcher->attach_loop(loop);
        loops::run_options how;
        how.watcher = watcher;
        how.input = "read by the program\n";
        how.tree.kind = loops::process_tree::cgroup; // or a group
        const auto on_loop = [this](auto handler) {
            return asio::bind_executor(loop.get_executor(), std::move(handler));
        };
        loops::async_run(command("/bin/sh", {"-c", "read line; echo $line; exec sleep 0.2"}), how,
            on_loop([this](loops::error_code ec, loops::run_result made) {
                run_ec = ec;
                result = std::move(made);
                ++calls;
            }));
        loops::group_options members;
        members.watcher = watcher;
        members.most_alive = 1;
        group.emplace(loop, members);
        for (int i = 0; i != 2; ++i)
            group->async_run(worker(), on_loop([this](loops::error_code ec, loops::child_exit) {
                group_ec = ec;
                ++calls;
            }));
        loops::supervisor_options workers;
        workers.watcher = watcher;
        workers.ready = loops::readiness::descriptor;
        supervisor.emplace(loop, worker({"fd=3"}), 1, workers);
        supervisor->async_run([this](loops::error_code ec) {
            supervisor_ec = ec;
            ++calls;
        });
        while (group->alive() == 0 || supervisor->status(0).pid == 0)
            loop.run_one();
    }

    programs(const programs&) = delete;
    programs& operator=(const programs&) = delete;
    ~programs() { watcher->close(); }

    static command worker(std::vector<std::string> words = {})
    {
        command what(helper_path("notify_and_wait"), std::move(words));
        what.descriptors = {{0, command::null_device}, {2, 2}};
        return what;
    }

    // That they live, and end as they are to.
    void check_in_parent()
    {
        supervisor->async_wait_ready([this](loops::error_code ec) {
            BOOST_TEST(!ec);
            supervisor->stop();
            group->stop();
        });
        loop.restart();
        loop.run();
        BOOST_TEST(calls == 4);
        BOOST_TEST(!run_ec, run_ec.message());
        BOOST_TEST(result.output == "read by the program\n");
        BOOST_TEST(result.exit.exit_code() == 0);
        BOOST_TEST(!supervisor_ec, supervisor_ec.message());
        BOOST_TEST(supervisor->status(0).starts == 1U);
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(the_child_goes_on_with_the_loop)
{
    if (is_impossible("child_watcher_programs_forked/the_child_goes_on_with_the_loop"))
        return;
    programs all;
    all.loop.notify_fork(asio::io_context::fork_prepare);
    const int code = in_forked_child([&] {
        all.loop.notify_fork(asio::io_context::fork_child);
        all.loop.restart();
        all.loop.run();
        int wrong = 0;
        wrong += all.calls == 4 ? 0 : 1;
        wrong += all.run_ec == error::forked ? 0 : 2;
        wrong += all.supervisor_ec == error::forked ? 0 : 4;
        wrong += all.result.output.empty() ? 0 : 8;
        return wrong;
    });
    all.loop.notify_fork(asio::io_context::fork_parent);
    BOOST_TEST(code == 0);
    all.check_in_parent();
}

BOOST_AUTO_TEST_CASE(the_child_destroys_them)
{
    if (is_impossible("child_watcher_programs_forked/the_child_destroys_them"))
        return;
    auto all = std::make_unique<programs>();
    all->loop.notify_fork(asio::io_context::fork_prepare);
    const int code = in_forked_child([&] {
        all->loop.notify_fork(asio::io_context::fork_child);
        all->group.reset();
        all->supervisor.reset();
        all->loop.restart();
        all->loop.run();
        const int calls = all->calls;
        static_cast<void>(all.release()); // but for the rest of it, whose checks are the parent's
        return calls == 4 ? 0 : 1;
    });
    const int destroyed = in_forked_child([&] {
        all->loop.notify_fork(asio::io_context::fork_child);
        // The loop alone: its operations go uncalled.
        all->loop.~io_context();
        return 0;
    });
    all->loop.notify_fork(asio::io_context::fork_parent);
    BOOST_TEST(code == 0);
    BOOST_TEST(destroyed == 0);
    all->check_in_parent();
}
