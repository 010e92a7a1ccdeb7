// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE process_watcher

#include <loops/backend.hpp>
#include <loops/policy/virtual_time_policy.hpp>
#include <loops/run.hpp>
#include <loops/watcher/process_watcher.hpp>

#include "support/child_processes.hpp"
#include "support/error_check.hpp"
#include "support/faults.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using loops::process_event;
using loops::process_metric;
using kind = loops::process_event::kind;

namespace {

loops::process_watch_options every(std::chrono::nanoseconds interval)
{
    loops::process_watch_options options;
    options.interval = interval;
    return options;
}

process_event next_of(loops::process_watcher& watcher, asio::io_context& loop)
{
    auto event = watcher.async_wait(asio::use_future);
    loop.restart();
    loop.run_for(patience);
    BOOST_REQUIRE((event.wait_for(0s) == std::future_status::ready));
    return event.get();
}

loops::error_code system_code(int number)
{
    return {number, boost::system::system_category()};
}

// A process of a child's, which tells its number.
class grandchild
{
public:
    explicit grandchild(bool is_reaped)
    {
        require(::pipe2(go_, O_CLOEXEC) == 0, "pipe2");
        int number[2];
        require(::pipe2(number, O_CLOEXEC) == 0, "pipe2");
        child_ = start_child([&] {
            const pid_t own = ::fork();
            char byte = 0;
            ::close(go_[1]);
            if (own == 0)
            {
                while (::read(go_[0], &byte, 1) > 0)
                    ;
                ::_exit(9);
            }
            if (own < 0 || ::write(number[1], &own, sizeof own) != sizeof own)
                return 1;
            if (is_reaped)
                ::waitpid(own, nullptr, 0);
            else
                ::pause();
            return 0;
        });
        require(::read(number[0], &pid_, sizeof pid_) == sizeof pid_, "read");
        ::close(number[0]);
        ::close(number[1]);
        ::close(go_[0]);
    }

    grandchild(const grandchild&) = delete;
    grandchild& operator=(const grandchild&) = delete;

    ~grandchild()
    {
        end();
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
    }

    pid_t pid() const { return pid_; }

    void end()
    {
        if (go_[1] >= 0)
            ::close(std::exchange(go_[1], -1));
    }

private:
    int go_[2];
    pid_t child_ = -1;
    pid_t pid_ = -1;
};

} // namespace

BOOST_AUTO_TEST_CASE(a_child_ends)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::process_watcher watcher(loop);
    gated_child child;
    watcher.add(child.pid());
    BOOST_TEST(watcher.processes().size() == 1U);
    BOOST_TEST(watcher.is_active());
    child.let_go();
    const process_event event = next_of(watcher, loop);
    BOOST_TEST(event.what == kind::ended);
    BOOST_TEST(event.pid == child.pid());
    BOOST_REQUIRE(event.exit);
    BOOST_TEST(event.exit->returncode() == 0);
    BOOST_TEST(event.exit->rusage().has_value());
    BOOST_TEST(watcher.processes().empty());
    BOOST_TEST(child.reap() == 0); // it was watched, not reaped
}

BOOST_AUTO_TEST_CASE(a_child_that_ended_before)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::process_watcher watcher(loop);
    const pid_t child = child_that_dies_of(SIGKILL);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
    loops::process_limits limits;
    limits.resident_memory = 1;
    watcher.add(child, limits);
    const process_event event = next_of(watcher, loop);
    BOOST_TEST(event.what == kind::ended);
    BOOST_REQUIRE(event.exit);
    BOOST_TEST(event.exit->term_signal() == SIGKILL);
    ::waitpid(child, nullptr, 0);
    test::check_error([&] { watcher.add(child); },
        make_error_code(boost::system::errc::no_such_process), std::to_string(child));
}

BOOST_AUTO_TEST_CASE(a_stranger_ends)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::process_watcher watcher(loop);
    grandchild stranger(true);
    watcher.add(stranger.pid());
    stranger.end();
    const process_event event = next_of(watcher, loop);
    BOOST_TEST(event.what == kind::ended);
    BOOST_TEST(event.pid == stranger.pid());
    if (!event.exit)
        return skipped("process_watcher/a_stranger_ends",
            "the kernel tells no status of processes that are no children");
    BOOST_TEST(event.exit->returncode() == 9);
}

BOOST_AUTO_TEST_CASE(a_stranger_that_nobody_reaps)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::process_watch_options options;
    options.status_patience = 5ms;
    loops::process_watcher watcher(loop, options);
    grandchild stranger(false);
    watcher.add(stranger.pid());
    stranger.end();
    const process_event event = next_of(watcher, loop);
    BOOST_TEST(event.what == kind::ended);
    BOOST_TEST(!event.exit.has_value());
}

// Added again when it has ended, it is told once.
BOOST_AUTO_TEST_CASE(one_that_ended_is_added_again)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::process_watcher watcher(loop);
    const pid_t child = child_that_exits(4);
    watcher.add(child);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
    loops::process_limits limits;
    limits.threads = 0;
    watcher.add(child, limits);
    BOOST_TEST(watcher.processes().size() == 1U);
    BOOST_TEST((next_of(watcher, loop).exit.value().exit_code() == 4));
    auto more = watcher.async_wait(asio::use_future);
    loop.restart();
    loop.poll();
    BOOST_TEST((more.wait_for(0s) == std::future_status::timeout));
    watcher.close();
    loop.run();
    ::waitpid(child, nullptr, 0);
}

// Its name may be anything.
BOOST_AUTO_TEST_CASE(a_name_of_two_lines)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::process_watcher watcher(loop, every(1ms));
    const pid_t child = start_child([] {
        ::prctl(PR_SET_NAME, "a) R\nb");
        ::pause();
        return 0;
    });
    loops::process_limits limits;
    limits.resident_memory = 1;
    watcher.add(child, limits);
    BOOST_TEST((next_of(watcher, loop).what == kind::above));
    for (int i = 0; i != 20; ++i)
        BOOST_TEST(watcher.sample(child).threads >= 1U);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

BOOST_AUTO_TEST_CASE(limits_are_replaced)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::process_watcher watcher(loop, every(1h));
    gated_child child;
    loops::process_limits limits;
    limits.threads = 0;
    watcher.add(child.pid(), limits);
    BOOST_TEST((next_of(watcher, loop).what == kind::above));
    limits.resident_memory = std::uint64_t(1) << 60U;
    watcher.add(child.pid(), limits); // it is above the same one still
    watcher.add(child.pid());
    limits.resident_memory.reset();
    watcher.add(child.pid(), limits); // and here it is told anew
    const process_event event = next_of(watcher, loop);
    BOOST_TEST(event.what == kind::above);
    BOOST_TEST(event.metric == process_metric::threads);
    child.let_go();
    BOOST_TEST((next_of(watcher, loop).what == kind::ended));
    child.reap();
}

// The kernel's note has a sample taken before the interval is over. That tasks wait for memory cannot be had at will; that
// they wait for CPUs can, and is told in the same way.
BOOST_AUTO_TEST_CASE(pressure_has_it_looked_at)
{
    const child_ledger ledger;
    constexpr int refused = 77;
    constexpr int untold = 78;
    const int code = in_forked_child([] {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("/proc/pressure/cpu", "/proc/pressure/memory", nullptr, MS_BIND, nullptr) != 0)
            return refused;
        std::vector<pid_t> spinners;
        for (unsigned i = 0; i != 3 * std::thread::hardware_concurrency(); ++i)
            spinners.push_back(start_child([] {
                ::alarm(60);
                for (volatile unsigned turn = 0;; turn = turn + 1)
                    ;
                return 0;
            }));
        asio::io_context loop;
        loops::process_watcher watcher(loop, every(1h));
        loops::process_limits limits;
        limits.cpu_share = 0.01;
        watcher.add(spinners.front(), limits); // of which the first sample knows no share
        bool told = false;
        watcher.async_wait([&](loops::error_code ec, const process_event& event) {
            told = !ec && event.what == kind::above;
        });
        const bool works = !watcher.pressure_error();
        loop.run_for(works ? patience : 0s);
        for (const pid_t each : spinners)
        {
            ::kill(each, SIGKILL);
            ::waitpid(each, nullptr, 0);
        }
        return !works ? refused : told ? 0 : untold;
    });
    if (code == refused)
        return skipped("process_watcher/pressure_has_it_looked_at",
            "no mounts, or no notes of pressure, are to be had here");
    BOOST_TEST(code == 0);
}

BOOST_AUTO_TEST_CASE(by_pidfd)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::process_watcher watcher(loop);
    gated_child child;
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, child.pid(), 0U));
    watcher.add_pidfd(pidfd);
    BOOST_TEST((watcher.processes() == std::vector<pid_t>{child.pid()}));
    child.let_go();
    BOOST_TEST((next_of(watcher, loop).what == kind::ended));
    BOOST_TEST(::fcntl(pidfd, F_GETFD) >= 0); // it is the caller's
    BOOST_TEST(child.reap() == 0);
    loops::error_code ec;
    watcher.add_pidfd(pidfd, {}, ec);
    BOOST_TEST((ec == system_code(ESRCH)), ec.message());
    ::close(pidfd);
    test::check_error([&] { watcher.add_pidfd(pidfd); }, system_code(EBADF), "pidfd");
}

BOOST_AUTO_TEST_CASE(memory)
{
    const child_ledger ledger;
    constexpr std::size_t size = std::size_t(64) << 20U;
    int steps[2];
    require(::pipe2(steps, O_CLOEXEC) == 0, "pipe2");
    const pid_t child = start_child([&] {
        ::close(steps[1]);
        char step = 0;
        void* room = nullptr;
        while (::read(steps[0], &step, 1) == 1)
        {
            if (step == '-')
            {
                ::munmap(room, size);
                continue;
            }
            room =
                ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            for (std::size_t i = 0; i < size; i += 4096)
                static_cast<volatile char*>(room)[i] = 1;
        }
        return 3;
    });
    ::close(steps[0]);
    asio::io_context loop;
    loops::process_watcher watcher(loop, every(1ms));
    watcher.add(child);
    const auto before = watcher.sample(child);
    BOOST_TEST(before.resident_memory > 0U);
    BOOST_TEST(before.threads >= 1U); // a sanitizer may have one of its own
    loops::process_limits limits;
    limits.resident_memory = before.resident_memory + size / 2;
    watcher.add(child, limits); // in place of those
    BOOST_TEST(watcher.processes().size() == 1U);
    for (int round = 0; round != 2; ++round)
    {
        BOOST_TEST(::write(steps[1], "+", 1) == 1);
        process_event event = next_of(watcher, loop);
        BOOST_TEST(event.what == kind::above);
        BOOST_TEST(event.pid == child);
        BOOST_TEST(event.metric == process_metric::resident_memory);
        BOOST_TEST(event.sample.resident_memory > *limits.resident_memory);
        BOOST_TEST(::write(steps[1], "-", 1) == 1);
        event = next_of(watcher, loop);
        BOOST_TEST(event.what == kind::below);
        BOOST_TEST(event.sample.resident_memory <= *limits.resident_memory);
    }
    ::close(steps[1]);
    const process_event event = next_of(watcher, loop);
    BOOST_TEST(event.what == kind::ended);
    BOOST_REQUIRE(event.exit);
    BOOST_TEST(event.exit->exit_code() == 3);
    ::waitpid(child, nullptr, 0);
}

// A process may watch itself.
BOOST_AUTO_TEST_CASE(descriptors_and_threads)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::process_watcher watcher(loop, every(1ms));
    std::thread([] {}).join(); // after which a sanitizer has its own thread
    watcher.add(::getpid());
    const auto before = watcher.sample(::getpid());
    BOOST_TEST(before.descriptors > 0U);
    loops::process_limits limits;
    limits.descriptors = before.descriptors + 20;
    watcher.add(::getpid(), limits);
    std::vector<int> all;
    for (int i = 0; i != 40; ++i)
        all.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    process_event event = next_of(watcher, loop);
    BOOST_TEST(event.what == kind::above);
    BOOST_TEST(event.metric == process_metric::descriptors);
    for (const int each : all)
        ::close(each);
    event = next_of(watcher, loop);
    BOOST_TEST(event.what == kind::below);

    limits = {};
    limits.threads = before.threads;
    watcher.add(::getpid(), limits);
    latch go_on;
    std::thread other([&] { go_on.wait(); });
    event = next_of(watcher, loop);
    BOOST_TEST(event.what == kind::above);
    BOOST_TEST(event.metric == process_metric::threads);
    BOOST_TEST(
        event.sample.value(process_metric::threads) == static_cast<double>(event.sample.threads));
    go_on.count_down();
    other.join();
    // There is one less, which is not below by that share.
    limits.relief = 0;
    watcher.add(::getpid(), limits);
    event = next_of(watcher, loop);
    BOOST_TEST(event.what == kind::below);
}

BOOST_AUTO_TEST_CASE(cpu_time)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::process_watcher watcher(loop, every(5ms));
    const pid_t busy = start_child([] {
        for (volatile unsigned i = 0;; i = i + 1)
            ;
        return 0;
    });
    loops::process_limits limits;
    limits.cpu_share = 0.02;
    watcher.add(busy, limits);
    const process_event event = next_of(watcher, loop);
    BOOST_TEST(event.what == kind::above);
    BOOST_TEST(event.pid == busy);
    BOOST_TEST(event.metric == process_metric::cpu_share);
    BOOST_TEST(event.sample.cpu_share > 0.02);
    BOOST_TEST(event.sample.cpu_time.count() > 0);
    ::kill(busy, SIGSTOP);
    BOOST_TEST((next_of(watcher, loop).what == kind::below));
    ::kill(busy, SIGKILL);
    BOOST_TEST((next_of(watcher, loop).what == kind::ended));
    ::waitpid(busy, nullptr, 0);
}

// What is above already is told at once.
BOOST_AUTO_TEST_CASE(above_from_the_beginning)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::process_watcher watcher(loop, every(1h));
    gated_child child;
    loops::process_limits limits;
    limits.resident_memory = 1;
    limits.threads = 0;
    watcher.add(child.pid(), limits);
    BOOST_TEST((next_of(watcher, loop).metric == process_metric::resident_memory));
    BOOST_TEST((next_of(watcher, loop).metric == process_metric::threads));
    BOOST_TEST(watcher.remove(child.pid()));
    BOOST_TEST(!watcher.remove(child.pid()));
    BOOST_TEST(watcher.processes().empty());
    child.let_go();
    child.reap();
}

// The interval is one of loop_clock's.
BOOST_AUTO_TEST_CASE(in_virtual_time)
{
    const child_ledger ledger;
    const loops::policy_scope scope(std::make_shared<loops::virtual_time_policy>());
    asio::io_context& loop = loops::get_event_loop();
    gated_child child;
    loops::process_watcher watcher(loop, every(1h));
    loops::process_limits limits;
    limits.threads = 100;
    watcher.add(child.pid(), limits);
    loops::loop_timer day(loop, 24h);
    std::optional<process_event> event;
    watcher.async_wait([&](loops::error_code, const process_event& told) { event = told; });
    day.async_wait([&](const loops::error_code&) { child.let_go(); });
    loops::run_loop(loop);
    BOOST_REQUIRE(event);
    BOOST_TEST(event->what == kind::ended);
    child.reap();
}

BOOST_AUTO_TEST_CASE(without_pressure)
{
    const child_ledger ledger;
    asio::io_context loop;
    {
        const faults none{{"open_pressure", ENOENT}};
        loops::process_watcher watcher(loop, every(1ms));
        BOOST_TEST((watcher.pressure_error() == system_code(ENOENT)));
        gated_child child;
        watcher.add(child.pid());
        child.let_go();
        BOOST_TEST((next_of(watcher, loop).what == kind::ended));
        child.reap();
    }
    loops::process_watch_options options;
    options.pressure = false;
    BOOST_TEST((loops::process_watcher(options).pressure_error() ==
                boost::system::errc::operation_not_supported));
    const loops::error_code ec = loops::process_watcher().pressure_error();
    if (ec)
        skipped("process_watcher/pressure", "the kernel tells of no pressure: " + ec.message());
}

BOOST_AUTO_TEST_CASE(bad_input)
{
    const child_ledger ledger;
    const auto invalid = make_error_code(boost::system::errc::invalid_argument);
    check_error([] { loops::process_watcher{every(0s)}; }, invalid, "interval");
    asio::io_context loop;
    loops::process_watcher watcher(loop, every(1ms));
    loops::process_limits limits;
    limits.cpu_share = -1;
    check_error([&] { watcher.add(::getpid(), limits); }, invalid);
    limits.cpu_share = std::numeric_limits<double>::quiet_NaN();
    check_error([&] { watcher.add(::getpid(), limits); }, invalid);
    limits = {};
    limits.relief = 1.5;
    check_error([&] { watcher.add(::getpid(), limits); }, invalid);
    limits = {};
    limits.descriptors = 10;
    {
        const faults refused{{"stat", EACCES}};
        check_error([&] { watcher.add(::getpid(), limits); }, system_code(EACCES),
            std::to_string(::getpid()));
    }
    {
        const faults refused{{"pidfd_open", EMFILE}};
        check_error([&] { watcher.add(::getpid()); }, system_code(EMFILE));
    }
    {
        const faults refused{{"epoll_ctl", ENOSPC}};
        check_error([&] { watcher.add(::getpid()); }, system_code(ENOSPC));
    }
    check_error(
        [&] { watcher.add(-1); }, make_error_code(boost::system::errc::no_such_process), "-1");
    check_error(
        [&] { watcher.sample(::getpid()); }, make_error_code(boost::system::errc::no_such_process));
    BOOST_TEST(watcher.processes().empty());
    const faults refused{{"epoll_create1", EMFILE}};
    check_error([] { loops::process_watcher(); }, system_code(EMFILE), "epoll_create1");
}

BOOST_AUTO_TEST_CASE(is_cancelled_and_closed)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::process_watcher watcher(loop);
    gated_child child;
    watcher.add(child.pid());
    for (const auto type : {asio::cancellation_type::terminal, asio::cancellation_type::partial,
             asio::cancellation_type::total})
    {
        asio::cancellation_signal cancel;
        std::optional<loops::error_code> cancelled;
        watcher.async_wait(asio::bind_cancellation_slot(
            cancel.slot(), [&](loops::error_code ec, const process_event&) { cancelled = ec; }));
        cancel.emit(type);
        BOOST_TEST(!cancelled);
        loop.restart();
        loop.run();
        BOOST_TEST((cancelled == asio::error::operation_aborted));
    }
    std::optional<loops::error_code> pending;
    std::optional<loops::error_code> late;
    watcher.async_wait([&](loops::error_code ec, const process_event&) { pending = ec; });
    watcher.close();
    watcher.close();
    watcher.async_wait([&](loops::error_code ec, const process_event&) { late = ec; });
    BOOST_TEST(!watcher.is_active());
    loop.restart();
    loop.run();
    BOOST_TEST((pending == asio::error::operation_aborted));
    BOOST_TEST((late == make_error_code(loops::error::watcher_closed)));
    check_error([&] { watcher.add(child.pid()); }, loops::error::watcher_closed);
    child.let_go();
    child.reap();
}

BOOST_AUTO_TEST_CASE(another_loop_takes_over)
{
    const child_ledger ledger;
    asio::io_context first;
    asio::io_context second;
    loops::process_watcher watcher(every(1ms));
    BOOST_TEST(!watcher.is_active());
    for (int round = 0; round != 3; ++round)
    {
        gated_child child;
        loops::process_limits limits;
        limits.cpu_share = 1000;
        watcher.add(child.pid(), limits);
        watcher.attach_loop(first);
        auto event = watcher.async_wait(asio::use_future);
        if (round == 0)
            child.let_go();
        if (round == 1)
        {
            watcher.attach_loop(nullptr);
            child.let_go();
        }
        watcher.attach_loop(second);
        if (round == 2)
            child.let_go();
        first.restart();
        first.run(); // it has nothing to do any more
        second.restart();
        second.run();
        BOOST_TEST((event.get().what == kind::ended));
        child.reap();
    }
}

BOOST_AUTO_TEST_CASE(its_loop_is_destroyed)
{
    const child_ledger ledger;
    loops::process_watcher watcher(every(1ms));
    gated_child child;
    loops::process_limits limits;
    limits.cpu_share = 1000;
    watcher.add(child.pid(), limits);
    auto held = std::make_shared<int>();
    const std::weak_ptr<int> alive = held;
    {
        asio::io_context loop;
        watcher.attach_loop(loop);
        watcher.async_wait([held](loops::error_code, const process_event&) { std::abort(); });
        held.reset();
        loop.run_for(5ms);
        BOOST_TEST(!alive.expired());
    }
    BOOST_TEST(alive.expired());
    BOOST_TEST(!watcher.is_active());
    asio::io_context next;
    watcher.attach_loop(next);
    child.let_go();
    BOOST_TEST((next_of(watcher, next).what == kind::ended));
    child.reap();
}

BOOST_AUTO_TEST_CASE(threads_add_wait_and_take_over)
{
    const child_ledger ledger;
    constexpr int users = 3;
    constexpr int rounds = 40;
    asio::io_context loops_of_it[2];
    loops::process_watcher watcher(loops_of_it[0], every(1ms));
    auto busy = std::make_optional(asio::make_work_guard(loops_of_it[0]));
    auto busy_too = std::make_optional(asio::make_work_guard(loops_of_it[1]));
    std::vector<std::thread> runners;
    for (asio::io_context& each : loops_of_it)
        for (int i = 0; i != 2; ++i)
            runners.emplace_back([&each] { each.run(); });
    std::atomic<int> ended{0};
    std::function<void()> next = [&] {
        watcher.async_wait([&](loops::error_code ec, const process_event& event) {
            if (ec)
                return;
            ended += event.what == kind::ended ? 1 : 0;
            next();
        });
    };
    next();
    next();
    std::vector<std::thread> all;
    for (int i = 0; i != users; ++i)
        all.emplace_back([&, i] {
            for (int round = 0; round != rounds; ++round)
            {
                const pid_t child = child_that_exits(0);
                loops::process_limits limits;
                limits.threads = 100;
                watcher.add(child, limits);
                if (i == 0)
                    watcher.attach_loop(loops_of_it[round % 2]);
                if (!eventually([&] {
                        const auto left = watcher.processes();
                        return std::count(left.begin(), left.end(), child) == 0;
                    }))
                    std::abort();
                ::waitpid(child, nullptr, 0);
            }
        });
    for (std::thread& each : all)
        each.join();
    BOOST_TEST(eventually([&] { return ended == users * rounds; }));
    watcher.close();
    busy.reset();
    busy_too.reset();
    for (std::thread& each : runners)
        each.join();
}

BOOST_AUTO_TEST_CASE(forked)
{
    if (loops::backend() == loops::backend_type::io_uring)
        return skipped("process_watcher/forked",
            "Asio 1.81 shares the ring with a forked child, which takes the parent's operations");
    const child_ledger ledger;
    asio::io_context loop;
    std::optional<loops::process_watcher> watcher(std::in_place, loop);
    gated_child child;
    watcher->add(child.pid());
    int calls = 0;
    watcher->async_wait([&](loops::error_code, const process_event&) { ++calls; });
    loop.notify_fork(asio::io_context::fork_prepare);
    const int code = in_forked_child([&] {
        loop.notify_fork(asio::io_context::fork_child);
        loops::error_code ec;
        watcher->add(::getpid(), {}, ec);
        watcher.reset();
        loop.restart();
        loop.poll();
        return (ec == loops::error::forked ? 0 : 1) + (calls == 0 ? 0 : 2);
    });
    loop.notify_fork(asio::io_context::fork_parent);
    BOOST_TEST(code == 0);
    // A child that tells no loop, and destroys what it inherited, takes nothing from the parent.
    BOOST_TEST(in_forked_child([&] {
        watcher.reset();
        return 0;
    }) == 0);
    child.let_go();
    loop.restart();
    loop.run();
    BOOST_TEST(calls == 1);
    child.reap();
}
