// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_supervisors

#include <loops/process/cgroup_scope.hpp>
#include <loops/process/supervisor.hpp>

#include "support/arguments.hpp"
#include "support/child_watchers.hpp"
#include "support/error_check.hpp"
#include "support/run_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>

using namespace test;
using namespace std::chrono_literals;
using loops::command;
using loops::worker_state;

// Supervisors, with each watcher behind them. What is done to the workers is done from on_change, when they
// are as the case wants them.

namespace {

command worker(std::vector<std::string> words = {})
{
    command what(helper_path("notify_and_wait"), std::move(words));
    what.descriptors = {{0, command::null_device}, {1, command::null_device}, {2, 2}};
    return what;
}

template <class Setup>
struct fixture : run_fixture<Setup, loops::supervisor_options>
{
    using base = run_fixture<Setup, loops::supervisor_options>;
    using base::loop;

    std::optional<loops::supervisor> it;
    std::function<void()> on_change;
    std::atomic<int> run_calls{0};
    loops::error_code run_ec;
    std::mutex
        checks; // what checks in a handler, where another one may do so at that time, holds it

    loops::supervisor_options options()
    {
        auto made = base::options();
        made.backoff = {1ms, 2, 10ms, 0.5, 1s};
        made.on_change = [this](std::size_t) {
            if (on_change)
                on_change();
        };
        return made;
    }

    template <class What>
    void make(What what, std::size_t workers, const loops::supervisor_options& how)
    {
        it.emplace(loop, what, workers, how);
    }

    void run()
    {
        it->async_run([this](loops::error_code ec) {
            ++run_calls;
            run_ec = ec;
        });
        BOOST_TEST(run_calls == 0);
        Setup::run(loop);
        BOOST_TEST(run_calls == 1);
        for (const auto& each : it->status())
        {
            BOOST_TEST(each.pid == 0);
            BOOST_TEST((each.state == worker_state::idle));
        }
    }

    bool all_are(worker_state state) const
    {
        const auto all = it->status();
        return std::all_of(
            all.begin(), all.end(), [state](const auto& each) { return each.state == state; });
    }

    // Does one thing after the other, each when the one before holds.
    template <class... Steps>
    void script(Steps... steps)
    {
        on_change = [this, all = std::vector<std::function<bool()>>{steps...},
                        next = std::size_t(0)]() mutable {
            const std::lock_guard lock(checks);
            while (next != all.size() && all[next]())
                ++next;
        };
    }
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(keeps_workers_alive, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.ready = loops::readiness::descriptor;
    f.make(worker({"fd=3"}), 3, options);
    pid_t killed = 0;
    f.script(
        [&] {
            if (!f.all_are(worker_state::ready))
                return false;
            killed = f.it->status(1).pid;
            ::kill(killed, SIGKILL);
            return true;
        },
        [&] {
            const auto now = f.it->status(1);
            if (now.pid == killed || now.state != worker_state::ready)
                return false;
            f.it->stop();
            return true;
        });
    f.run();
    BOOST_TEST(!f.run_ec);
    BOOST_TEST(f.it->status(1).restarts == 1U);
    BOOST_TEST(f.it->status(1).failures == 1U);
    BOOST_TEST(f.it->status(1).starts == 2U);
    BOOST_TEST(f.it->status(0).starts == 1U);
    BOOST_TEST(f.it->status(0).last_exit.exited());
    BOOST_TEST(f.it->status(0).last_exit.exit_code() == 0);
}

// At no time is there less than one ready process for a worker.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_rolling_restart, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.ready = loops::readiness::descriptor;
    f.make(worker({"fd=3"}), 3, options);
    std::atomic<int> restarted{0};
    std::vector<pid_t> before;
    f.script(
        [&] {
            if (!f.all_are(worker_state::ready))
                return false;
            for (const auto& each : f.it->status())
                before.push_back(each.pid);
            f.it->async_restart([&](loops::error_code ec) {
                const std::lock_guard lock(f.checks);
                BOOST_TEST(!ec);
                restarted = 1;
                for (std::size_t i = 0; i != before.size(); ++i)
                {
                    BOOST_TEST(f.it->status(i).pid != before[i]);
                    BOOST_TEST(f.it->status(i).starts == 2U);
                    BOOST_TEST(f.it->status(i).restarts == 0U);
                }
                f.it->stop();
            });
            return true;
        },
        [&] {
            if (restarted == 0)
                BOOST_TEST(f.all_are(worker_state::ready));
            return false;
        });
    f.run();
    BOOST_TEST(restarted == 1);
    BOOST_TEST(!f.run_ec);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_bad_replacement_leaves_the_old_one, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.ready = loops::readiness::descriptor;
    std::atomic<bool> is_bad{false};
    f.make([&](std::size_t) { return is_bad ? worker({"exit=3"}) : worker({"fd=3"}); }, 2, options);
    std::atomic<int> told{0};
    f.it->async_wait_ready([&](loops::error_code ec) {
        BOOST_TEST(!ec);
        is_bad = true;
        f.it->async_restart([&, before = f.it->status(0).pid](loops::error_code failed) {
            BOOST_TEST((failed == loops::error::worker_failed));
            BOOST_TEST(f.it->status(0).pid == before);
            BOOST_TEST((f.it->status(0).state == worker_state::ready));
            BOOST_TEST(f.it->status(0).last_exit.exit_code() == 3);
            BOOST_TEST(f.it->status(1).starts == 1U);
            ++told;
            f.it->stop();
        });
    });
    f.run();
    BOOST_TEST(told == 1);
}

namespace {

std::string variable_of(pid_t pid, const std::string& name)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/environ");
    for (std::string each; std::getline(file, each, '\0');)
    {
        if (each.rfind(name + '=', 0) == 0)
            return each.substr(name.size() + 1);
    }
    return {};
}

// As somebody who has nothing to do with the worker might.
void send_to(const std::string& abstract_name, const std::string& text)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    abstract_name.copy(address.sun_path, sizeof address.sun_path);
    address.sun_path[0] = '\0';
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const auto size = offsetof(sockaddr_un, sun_path) + abstract_name.size();
    const auto sent = ::sendto(fd, text.data(), text.size(), 0,
        reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size));
    BOOST_TEST(sent == static_cast<ssize_t>(text.size()));
    ::close(fd);
}

} // namespace

// What a stranger sends is dropped; it came before what the worker sends then.
BOOST_AUTO_TEST_CASE_TEMPLATE(readiness_by_sd_notify, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.ready = loops::readiness::sd_notify;
    f.make(worker({"STATUS=warming up", "usr1", "READY=1|STATUS=at work"}), 1, options);
    std::vector<std::string> seen;
    f.script(
        [&] {
            const auto now = f.it->status(0);
            if (now.text.empty())
                return false;
            BOOST_TEST((now.state == worker_state::starting));
            seen.push_back(now.text);
            const std::string name = variable_of(now.pid, "NOTIFY_SOCKET");
            BOOST_REQUIRE(name.size() > 1U);
            BOOST_TEST(name[0] == '@');
            send_to(name, "READY=1\nSTATUS=forged");
            ::kill(now.pid, SIGUSR1);
            return true;
        },
        [&] {
            const auto now = f.it->status(0);
            BOOST_TEST(now.text != "forged");
            if (now.state != worker_state::ready)
                return false;
            seen.push_back(now.text);
            f.it->stop();
            return true;
        });
    f.run();
    BOOST_TEST((seen == std::vector<std::string>{"warming up", "at work"}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_worker_that_hangs, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.ready = loops::readiness::sd_notify;
    options.watchdog = 20ms;
    options.restart = loops::restart_policy::on_failure;
    f.make(worker({"READY=1"}), 1, options);
    loops::child_exit exit;
    f.script([&] {
        if (f.it->status(0).failures == 0)
            return false;
        exit = f.it->status(0).last_exit;
        f.it->stop();
        return true;
    });
    f.run();
    // It hears a SIGTERM, and ends well; and counts as failed all the same.
    BOOST_TEST(exit.pid() != 0);
    BOOST_TEST(exit.exited());
    BOOST_TEST(exit.exit_code() == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_worker_that_is_never_ready, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.ready = loops::readiness::descriptor;
    options.ready_timeout = 10ms;
    options.restart = loops::restart_policy::never;
    f.make(worker(), 1, options);
    f.run();
    BOOST_TEST(!f.run_ec);
    BOOST_TEST(f.it->status(0).failures == 1U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(in_order, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.in_order = true;
    options.ready = loops::readiness::descriptor;
    f.make(worker({"fd=3"}), 3, options);
    std::atomic<bool> stopping{false};
    f.on_change = [&] {
        const auto all = f.it->status();
        for (std::size_t i = 1; i != all.size(); ++i)
        {
            // Who comes later is there only with those before, on the way up and on the way down.
            if (all[i].state == worker_state::starting)
                BOOST_TEST((all[i - 1].state == worker_state::ready));
            if (all[i - 1].state == worker_state::stopping)
                BOOST_TEST((all[i].state == worker_state::idle));
        }
        if (!stopping && f.all_are(worker_state::ready))
        {
            stopping = true;
            f.it->stop();
        }
    };
    f.run();
    BOOST_TEST(stopping.load());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(too_many_restarts, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.most_restarts = 5;
    options.restart_window = 1h;
    f.make(
        [](std::size_t index) { return index == 0 ? worker({"exit=1"}) : worker(); }, 2, options);
    f.run();
    BOOST_TEST((f.run_ec == loops::error::restart_limit));
    BOOST_TEST(f.it->status(0).starts == 6U);
    BOOST_TEST(f.it->status(0).failures == 6U);
    BOOST_TEST(f.it->status(1).failures == 0U);
}

// What cannot be started, by whosever fault.
BOOST_AUTO_TEST_CASE_TEMPLATE(starts_that_fail, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.most_restarts = 4;
    options.restart_window = 1h;
    f.make(
        [](std::size_t index) {
            if (index == 1)
                throw std::runtime_error("no command");
            return command("/nonexistent/program");
        },
        2, options);
    f.run();
    BOOST_TEST((f.run_ec == loops::error::restart_limit));
    BOOST_TEST((f.it->status(0).last_error == boost::system::errc::no_such_file_or_directory));
    BOOST_TEST((f.it->status(1).last_error == loops::error::worker_failed));
    BOOST_TEST(f.it->status(0).failures + f.it->status(1).failures >= 5U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(is_cancelled, Setup, setups)
{
    fixture<Setup> f;
    f.make(worker(), 2, f.options());
    asio::cancellation_signal cancel;
    std::atomic<int> calls{0};
    f.it->async_run(asio::bind_cancellation_slot(cancel.slot(), [&](loops::error_code ec) {
        ++calls;
        BOOST_TEST((ec == asio::error::operation_aborted));
    }));
    std::atomic<int> ready{0};
    f.it->async_wait_ready([&](loops::error_code ec) {
        BOOST_TEST(!ec);
        ++ready;
        cancel.emit(asio::cancellation_type::terminal);
    });
    Setup::run(f.loop);
    BOOST_TEST(calls == 1);
    BOOST_TEST(ready == 1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_wait_is_cancelled, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.ready = loops::readiness::descriptor;
    f.make(worker(), 1, options);
    asio::cancellation_signal cancel;
    std::atomic<int> calls{0};
    f.it->async_wait_ready(asio::bind_cancellation_slot(cancel.slot(), [&](loops::error_code ec) {
        ++calls;
        BOOST_TEST((ec == asio::error::operation_aborted));
        f.it->stop();
    }));
    f.script([&] {
        if (!f.all_are(worker_state::starting))
            return false;
        cancel.emit(asio::cancellation_type::total);
        return true;
    });
    f.run();
    BOOST_TEST(calls == 1);
}

// A stop ends a rolling restart, and what waits for the workers to be ready.
BOOST_AUTO_TEST_CASE_TEMPLATE(a_stop_amid_a_restart, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.ready = loops::readiness::descriptor;
    std::atomic<bool> is_slow{false};
    f.make([&](std::size_t) { return is_slow ? worker() : worker({"fd=3"}); }, 2, options);
    std::atomic<int> told{0};
    f.script(
        [&] {
            if (!f.all_are(worker_state::ready))
                return false;
            is_slow = true;
            for (int i = 0; i != 2; ++i)
                f.it->async_restart([&](loops::error_code ec) {
                    const std::lock_guard lock(f.checks);
                    BOOST_TEST((ec == asio::error::operation_aborted));
                    ++told;
                });
            return true;
        },
        [&] {
            if (f.it->status(0).starts != 2U)
                return false;
            f.it->stop();
            return true;
        });
    f.run();
    BOOST_TEST(told == 2);
    BOOST_TEST(f.it->status(0).failures == 0U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(is_killed, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.stop = {{SIGUSR2, 1h}}; // which ends nobody here
    command stubborn(
        "/bin/sh", {"-c", "trap '' USR2; echo >&3; exec 3>&-; while :; do sleep 1000; done"});
    stubborn.descriptors = {{1, command::null_device}, {2, 2}};
    options.ready = loops::readiness::descriptor;
    f.make(stubborn, 2, options);
    f.script(
        [&] {
            if (!f.all_are(worker_state::ready))
                return false;
            f.it->stop();
            return true;
        },
        [&] {
            if (!f.all_are(worker_state::stopping))
                return false;
            f.it->kill();
            return true;
        });
    f.run();
    BOOST_TEST(f.it->status(0).last_exit.term_signal() == SIGKILL);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(signals_reach_all, Setup, setups)
{
    fixture<Setup> f;
    auto options = f.options();
    options.ready = loops::readiness::sd_notify;
    f.make(worker({"STATUS=listening", "usr1", "READY=1"}), 3, options);
    f.script([&] {
        for (const auto& each : f.it->status())
        {
            if (each.text != "listening")
                return false;
        }
        f.it->signal(SIGUSR1);
        return true;
    });
    std::atomic<int> calls{0};
    f.it->async_wait_ready([&](loops::error_code ec) {
        BOOST_TEST(!ec);
        ++calls;
        f.it->stop();
    });
    f.run();
    BOOST_TEST(calls == 1);
    BOOST_TEST(f.it->status(0).starts == 1U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(is_destroyed, Setup, setups)
{
    fixture<Setup> f;
    f.make(worker(), 2, f.options());
    std::atomic<int> calls{0};
    f.it->async_run([&](loops::error_code ec) {
        BOOST_TEST(!ec);
        ++calls;
    });
    f.it->async_wait_ready([&](loops::error_code) {
        ++calls;
        f.it.reset();
    });
    Setup::run(f.loop);
    BOOST_TEST(calls == 2);
}

// Who waits for a run that never comes is told when there can be none.
BOOST_AUTO_TEST_CASE(is_destroyed_before_it_ran)
{
    fixture<setup<1>> f;
    std::atomic<int> made{0};
    f.make(
        [&](std::size_t) {
            ++made;
            return worker();
        },
        1, f.options());
    std::atomic<int> calls{0};
    f.it->async_wait_ready([&](loops::error_code ec) {
        BOOST_TEST((ec == asio::error::operation_aborted));
        ++calls;
    });
    f.it->async_run([&](loops::error_code ec) {
        BOOST_TEST(!ec);
        ++calls;
    });
    f.it.reset();
    f.loop.run();
    BOOST_TEST(calls == 2);
    BOOST_TEST(made == 0); // its functions are not called any more
}

BOOST_AUTO_TEST_CASE(waits_end_with_it)
{
    fixture<setup<1>> f;
    f.make(worker(), 1, f.options());
    int calls = 0;
    f.it->async_wait_ready([&](loops::error_code ec) {
        BOOST_TEST((ec == asio::error::operation_aborted));
        ++calls;
    });
    f.it.reset();
    f.loop.run();
    BOOST_TEST(calls == 1);
}

// Whatever the application's function throws.
BOOST_AUTO_TEST_CASE(a_function_that_throws_anything)
{
    fixture<setup<1>> f;
    auto options = f.options();
    options.most_restarts = 1;
    options.restart_window = 1h;
    std::size_t calls = 0;
    f.make(
        [&](std::size_t) -> command {
            if (++calls == 1)
                throw 1;
            throw loops::system_error(loops::error_code());
        },
        1, options);
    f.run();
    BOOST_TEST((f.run_ec == loops::error::restart_limit));
    BOOST_TEST((f.it->status(0).last_error == loops::error::worker_failed));
    BOOST_TEST(calls == 2U);
}

// The slot outlives the loop, and what is cancelled by then is nothing.
BOOST_AUTO_TEST_CASE(a_signal_outlives_the_loop)
{
    asio::cancellation_signal cancel;
    {
        fixture<setup<1>> f;
        auto options = f.options();
        options.restart = loops::restart_policy::never;
        f.make(worker({"exit=0"}), 1, options);
        f.it->async_run(asio::bind_cancellation_slot(cancel.slot(), [](loops::error_code) {}));
        f.loop.run();
    }
    cancel.emit(asio::cancellation_type::terminal);
}

// Their loop goes with the workers alive: they are killed, and the handler is destroyed uncalled.
BOOST_AUTO_TEST_CASE(its_loop_is_destroyed)
{
    warm_up_background();
    const child_ledger ledger;
    const auto watcher = make_watcher();
    std::weak_ptr<int> alive;
    {
        asio::io_context loop;
        watcher->attach_loop(loop);
        loops::supervisor_options options;
        options.watcher = watcher;
        loops::supervisor it(loop, worker(), 2, options);
        auto held = std::make_shared<int>();
        alive = held;
        it.async_run([held](loops::error_code) { std::abort(); });
        held.reset();
        while (it.status(1).pid == 0)
            loop.run_one();
        BOOST_TEST(!alive.expired());
        if (needs_attachment())
            watcher->attach_loop({});
    }
    BOOST_TEST(alive.expired());
    watcher->close();
}

BOOST_AUTO_TEST_CASE(bad_options)
{
    asio::io_context loop;
    const auto refused = [&](auto change, const std::string& word) {
        loops::supervisor_options options;
        options.watcher = make_watcher("pidfd");
        change(options);
        check_error([&] { loops::supervisor it(loop, worker(), 1, options); },
            boost::system::errc::make_error_code(boost::system::errc::invalid_argument), word);
    };
    refused([](auto& it) { it.stop.clear(); }, "ladder");
    refused([](auto& it) { it.backoff.first = -1s; }, "backoff");
    refused([](auto& it) { it.backoff.longest = 1ns; }, "backoff");
    refused([](auto& it) { it.backoff.factor = 0.5; }, "factor");
    refused([](auto& it) { it.backoff.jitter = 2; }, "jitter");
    refused([](auto& it) { it.restart_window = 0s; }, "window");
    refused([](auto& it) { it.ready_timeout = -1s; }, "time below 0");
    refused([](auto& it) { it.watchdog = 1s; }, "watchdog");
    refused(
        [](auto& it) {
            it.ready = loops::readiness::descriptor;
            it.ready_descriptor = -1;
        },
        "descriptor");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(at_the_wrong_time, Setup, setups)
{
    fixture<Setup> f;
    f.make(worker(), 1, f.options());
    std::atomic<int> told{0};
    f.it->async_restart([&](loops::error_code ec) {
        BOOST_TEST((ec == loops::error::supervisor_not_running));
        ++told;
    });
    Setup::run(f.loop);
    f.loop.restart();
    f.it->async_wait_ready([&](loops::error_code ec) {
        BOOST_TEST(!ec);
        f.it->async_run([&](loops::error_code again) {
            BOOST_TEST((again == loops::error::already_running));
            ++told;
            f.it->stop();
        });
    });
    f.run();
    BOOST_TEST(told == 2);
    BOOST_CHECK_THROW(f.it->status(1), std::out_of_range);
}

BOOST_AUTO_TEST_CASE(by_a_future_and_again)
{
    fixture<setup<1>> f;
    auto options = f.options();
    options.restart = loops::restart_policy::on_failure;
    f.make([](std::size_t) { return worker({"exit=0"}); }, 2, options);
    for (int i = 0; i != 3; ++i)
    {
        std::future<void> done = f.it->async_run(asio::use_future);
        f.loop.restart();
        f.loop.run();
        BOOST_CHECK_NO_THROW(done.get());
        BOOST_TEST(f.it->status(1).starts == 1U);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(its_watcher_is_closed, Setup, setups)
{
    fixture<Setup> f;
    f.make(worker(), 2, f.options());
    f.script([&] {
        if (!f.all_are(worker_state::ready))
            return false;
        asio::post(f.loop, [&] { f.watcher->close(); });
        return true;
    });
    f.run();
    BOOST_TEST((f.run_ec == asio::error::operation_aborted));
}

namespace {

bool is_gone(pid_t pid)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string number, name, state;
    return !(file >> number >> name >> state) || state == "Z" || state == "X";
}

} // namespace

// What leaves the group and the session does not leave the cgroup.
BOOST_AUTO_TEST_CASE_TEMPLATE(nothing_outlives_a_cgroup, Setup, setups)
{
    if (const auto why = loops::cgroup_scope::why_unsupported())
        return skipped("child_watcher_supervisors/nothing_outlives_a_cgroup", *why);
    fixture<Setup> f;
    auto options = f.options();
    options.tree.kind = loops::process_tree::cgroup;
    options.ready = loops::readiness::descriptor;
    int ends[2];
    BOOST_REQUIRE(::pipe(ends) == 0);
    command what("/bin/sh",
        {"-c", "setsid sleep 1000 3>&- & echo $! >&4; exec 4>&-; echo >&3; exec sleep 1000"});
    what.descriptors = {{0, command::null_device}, {1, command::null_device}, {2, 2}, {4, ends[1]}};
    f.make(what, 2, options);
    f.it->async_wait_ready([&](loops::error_code ec) {
        BOOST_TEST(!ec);
        f.it->stop();
    });
    f.run();
    std::string text(100, '\0');
    const auto size = ::read(ends[0], text.data(), text.size());
    ::close(ends[0]);
    ::close(ends[1]);
    std::istringstream pids(text.substr(0, static_cast<std::size_t>(std::max<ssize_t>(size, 0))));
    int count = 0;
    for (pid_t pid = 0; pids >> pid; ++count)
        BOOST_TEST(is_gone(pid));
    BOOST_TEST(count == 2);
}
