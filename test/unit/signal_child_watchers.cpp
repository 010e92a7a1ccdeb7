// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE signal_child_watchers

#include "support/application_set.hpp"
#include "support/child_outcomes.hpp"
#include "support/child_watchers.hpp"
#include "support/disposition.hpp"
#include "support/latch.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <memory>

using namespace test;

// The watchers that take SIGCHLD, beside an application that has it as well.

namespace {

using both = std::tuple<loops::safe_child_watcher, loops::fast_child_watcher>;

// What the application's own handler was told.
struct
{
    std::atomic<int> calls{0};
    std::atomic<int> stops{0};
    std::atomic<int> ends{0};
    std::atomic<pid_t> pid{0};

    void clear()
    {
        calls = 0;
        stops = 0;
        ends = 0;
        pid = 0;
    }
} told;

void plain(int)
{
    ++told.calls;
    errno = EBADF; // as a careless one does
}

void informed(int, siginfo_t* information, void*)
{
    ++told.calls;
    if (information->si_code == CLD_STOPPED)
        ++told.stops;
    if (information->si_code == CLD_EXITED)
        ++told.ends;
    told.pid = information->si_pid;
}

// Waits until that happened to a child, and leaves it to be told.
void until(pid_t pid, int what)
{
    siginfo_t info{};
    require(::waitid(P_PID, static_cast<id_t>(pid), &info, what | WNOWAIT) == 0, "waitid");
}

class blocked_signal
{
public:
    explicit blocked_signal(int signal)
    {
        sigset_t set;
        ::sigemptyset(&set);
        ::sigaddset(&set, signal);
        ::pthread_sigmask(SIG_BLOCK, &set, &before_);
    }
    blocked_signal(const blocked_signal&) = delete;
    blocked_signal& operator=(const blocked_signal&) = delete;
    ~blocked_signal() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

// The watcher notices a child: what all cases come to.
bool works(loops::child_watcher& watcher, asio::io_context& loop)
{
    by_callback way;
    const auto result = way.start(watcher, loop, child_that_exits(5));
    run(loop, 1);
    return is_true(*result, 5);
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(the_handler_before_is_called_and_put_back, Watcher, both)
{
    const child_ledger ledger;
    signal_action with_mask = disposition::action(informed, SA_RESTART | SA_NOCLDSTOP);
    ::sigaddset(&with_mask.sa_mask, SIGUSR1);
    for (const signal_action& action :
        {disposition::action(plain, 0), disposition::action(plain, SA_NOCLDSTOP),
            disposition::action(informed, SA_RESTART), with_mask})
    {
        const disposition own(action);
        asio::io_context loop;
        Watcher watcher;
        watcher.attach_loop(loop);
        BOOST_TEST(!is_same(child_signal_now(), action));
        for (int i = 0; i < 3; ++i)
        {
            told.clear();
            BOOST_TEST(works(watcher, loop));
            BOOST_TEST(eventually([] { return told.calls > 0; }));
            if ((action.sa_flags & SA_SIGINFO) != 0)
            {
                BOOST_TEST(told.pid > 0);
                BOOST_TEST(told.ends > 0);
            }
        }
        watcher.close();
        BOOST_TEST(is_same(child_signal_now(), action));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(errno_is_kept, Watcher, both)
{
    const child_ledger ledger;
    const disposition own(plain);
    asio::io_context loop;
    Watcher watcher;
    watcher.attach_loop(loop);
    told.clear();
    errno = EDOM;
    ::raise(SIGCHLD);
    BOOST_TEST(errno == EDOM);
    BOOST_TEST(told.calls == 1);
}

// A handler that did not want to hear of stops does not, though the watcher does.
BOOST_AUTO_TEST_CASE(stops)
{
    const child_ledger ledger;
    for (const bool wanted : {true, false})
    {
        const disposition own(informed, wanted ? SA_RESTART : SA_RESTART | SA_NOCLDSTOP);
        asio::io_context loop;
        loops::safe_child_watcher watcher;
        watcher.attach_loop(loop);
        told.clear();
        int continued[2];
        int gate[2];
        BOOST_REQUIRE(::pipe(continued) == 0);
        BOOST_REQUIRE(::pipe(gate) == 0);
        const pid_t pid = start_child([&] {
            ::alarm(60);
            ::raise(SIGSTOP);
            char byte = 1;
            return ::write(continued[1], &byte, 1) == 1 && ::read(gate[0], &byte, 1) == 1 ? 0 : 1;
        });
        std::atomic<int> seen{0};
        watcher.async_wait_state(pid, [&](loops::error_code, const loops::child_state& state) {
            seen = state.stop_signal();
        });
        run(loop, 1);
        BOOST_TEST(seen == SIGSTOP);
        ::kill(pid, SIGCONT);
        char byte = 0;
        BOOST_TEST(::read(continued[0], &byte, 1) == 1); // its signal was sent before
        BOOST_TEST(::write(gate[1], &byte, 1) == 1);
        for (const int fd : {continued[0], continued[1], gate[0], gate[1]})
            ::close(fd);
        by_callback way;
        way.start(watcher, loop, pid);
        run(loop, 1);
        BOOST_TEST(eventually([] { return told.ends > 0; }));
        BOOST_TEST((told.stops > 0) == wanted);
    }
}

// The kernel makes one signal of a stop and an exit, and says that it was a stop.
BOOST_AUTO_TEST_CASE(an_exit_behind_a_stop)
{
    const child_ledger ledger;
    const disposition own(informed, SA_RESTART | SA_NOCLDSTOP);
    asio::io_context loop;
    loops::safe_child_watcher watcher;
    watcher.attach_loop(loop);
    const pid_t pid = start_child([] {
        ::alarm(60);
        for (;;)
            ::pause();
        return 0;
    });
    {
        const blocked_signal blocked(SIGCHLD);
        told.clear();
        ::kill(pid, SIGSTOP);
        until(pid, WSTOPPED);
        ::kill(pid, SIGKILL);
        until_dead(pid);
    }
    BOOST_TEST(told.calls > 0);
    ::waitpid(pid, nullptr, 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_there_was_is_put_back, Watcher, both)
{
    const child_ledger ledger;
    for (const signal_action& action :
        {disposition::action(SIG_DFL, 0), disposition::action(SIG_DFL, SA_NOCLDSTOP),
            disposition::action(SIG_IGN, 0), disposition::action(SIG_DFL, SA_NOCLDWAIT)})
    {
        const disposition own(action);
        const signal_action before = child_signal_now();
        asio::io_context loop;
        {
            Watcher never_used;
            BOOST_TEST(is_same(child_signal_now(), before));
        }
        {
            Watcher watcher;
            watcher.attach_loop(loop);
            BOOST_TEST(works(watcher, loop)); // who takes SIGCHLD has the kernel keep the status
        }
        BOOST_TEST(is_same(child_signal_now(), before));
    }
}

BOOST_AUTO_TEST_CASE(the_last_one_puts_it_back)
{
    const child_ledger ledger;
    const disposition own(plain);
    const signal_action before = child_signal_now();
    for (int last = 0; last < 3; ++last)
    {
        asio::io_context loop;
        const std::array watchers{make_watcher("safe"), make_watcher("fast"), make_watcher("safe")};
        for (const auto& each : watchers)
            each->attach_loop(loop);
        const signal_action ours = child_signal_now();
        BOOST_TEST(!is_same(ours, before));
        for (int i = 1; i < 3; ++i)
        {
            watchers[static_cast<std::size_t>((last + i) % 3)]->close();
            BOOST_TEST(is_same(child_signal_now(), ours));
            BOOST_TEST(works(*watchers[static_cast<std::size_t>(last)], loop));
        }
        watchers[static_cast<std::size_t>(last)]->close();
        BOOST_TEST(is_same(child_signal_now(), before));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_signal_set_from_before, Watcher, both)
{
    const child_ledger ledger;
    asio::io_context application;
    {
        application_set set(application);
        const signal_action asios = child_signal_now();
        asio::io_context loop;
        for (int i = 0; i < 2; ++i)
        {
            Watcher watcher;
            watcher.attach_loop(loop);
            BOOST_TEST(works(watcher, loop));
            BOOST_TEST(hears(set, application));
            watcher.close();
            BOOST_TEST(is_same(child_signal_now(), asios));
            BOOST_TEST(hears(set, application));
        }
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_signal_set_that_comes_later, Watcher, both)
{
    const child_ledger ledger;
    asio::io_context application;
    asio::io_context loop;
    Watcher watcher;
    watcher.attach_loop(loop);
    {
        application_set goes(application);
        BOOST_TEST(hears(goes, application));
        BOOST_TEST(works(watcher, loop));
    }
    BOOST_TEST(works(watcher, loop)); // Asio would leave the default behind
    application_set stays(application);
    BOOST_TEST(hears(stays, application));
    BOOST_TEST(works(watcher, loop));
    watcher.close();
    BOOST_TEST(hears(stays, application));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_signal_set_that_goes_first, Watcher, both)
{
    const child_ledger ledger;
    asio::io_context application;
    asio::io_context loop;
    auto set = std::make_unique<application_set>(application);
    Watcher watcher;
    watcher.attach_loop(loop);
    BOOST_TEST(hears(*set, application));
    set.reset();
    BOOST_TEST(works(watcher, loop));
}

// The threads of the application block the signal.
BOOST_AUTO_TEST_CASE_TEMPLATE(blocked_by_the_application, Watcher, both)
{
    const child_ledger ledger;
    const blocked_signal blocked(SIGCHLD);
    asio::io_context loop;
    Watcher watcher;
    watcher.attach_loop(loop);
    BOOST_TEST(works(watcher, loop));
}

// Which has children of its own.
BOOST_AUTO_TEST_CASE(beside_std_system)
{
    const child_ledger ledger;
    asio::io_context loop;
    loops::safe_child_watcher watcher;
    watcher.attach_loop(loop);
    for (std::size_t round = 0; round < rounds(5); ++round)
    {
        by_callback way;
        const auto result = way.start(watcher, loop, child_that_exits(6));
        BOOST_TEST(std::system("exit 3") == 3 << 8); // NOLINT: that is what is tested
        run(loop, 1);
        BOOST_TEST(is_true(*result, 6));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(active, Watcher, both)
{
    const child_ledger ledger;
    asio::io_context loop;
    Watcher watcher;
    BOOST_TEST(!watcher.is_active());
    watcher.attach_loop(loop);
    BOOST_TEST(watcher.is_active());
    watcher.attach_loop(nullptr);
    BOOST_TEST(!watcher.is_active());
    BOOST_TEST(works(watcher, loop)); // whose wait has an executor
    BOOST_TEST(!watcher.is_active());
    watcher.attach_loop(loop);
    BOOST_TEST(watcher.is_active());
    watcher.close();
    BOOST_TEST(!watcher.is_active());
}
