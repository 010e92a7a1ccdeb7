// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE loop_watch
#include <loops/backend.hpp>
#include <loops/detail/blockage.hpp>
#include <loops/loop_stats.hpp>
#include <loops/loop_watch.hpp>
#include <loops/make_policy.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/policy/threaded_policy.hpp>
#include <loops/run.hpp>

#include "support/child_processes.hpp"
#include "support/error_check.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"
#include "support/log_capture.hpp"
#include "support/sanitizers.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/errc.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sched.h>
#include <unistd.h>

namespace asio = boost::asio;
namespace errc = boost::system::errc;
using loops::error;
using loops::loop_blockage;
using loops::loop_report;
using loops::loop_watch_options;
using test::check_error;
using namespace std::chrono_literals;

namespace {

using fsm = loops::detail::blocked_loop_fsm;
using loops::detail::cause_of;
using loops::detail::thread_facts;

// What a watch says.
class listener
{
public:
    loop_watch_options options(std::chrono::nanoseconds threshold = 30ms)
    {
        loop_watch_options made;
        made.threshold = threshold;
        made.on_blocked = [this](const loop_report& report) {
            const std::lock_guard lock(mutex_);
            blocked_.push_back(report);
        };
        made.on_recovered = [this](const loop_report& report) {
            const std::lock_guard lock(mutex_);
            recovered_.push_back(report);
            told_before_ = blocked_.size();
        };
        return made;
    }

    std::vector<loop_report> blocked() const
    {
        const std::lock_guard lock(mutex_);
        return blocked_;
    }

    std::vector<loop_report> recovered() const
    {
        const std::lock_guard lock(mutex_);
        return recovered_;
    }

    // Those since the last recovery.
    std::vector<loop_report> blocked_now() const
    {
        const std::lock_guard lock(mutex_);
        return {blocked_.begin() + static_cast<std::ptrdiff_t>(told_before_), blocked_.end()};
    }

    // Waits for a report that gives the cause and is as told: on a machine with more to do than it
    // can, others may come first.
    template <class IsRight>
    loop_report wait_for(loop_blockage cause, IsRight is_right)
    {
        loop_report found;
        const bool is_heard = test::eventually([&] {
            for (const loop_report& each : blocked())
            {
                if (each.cause == cause && is_right(each))
                {
                    found = each;
                    return true;
                }
            }
            return false;
        });
        BOOST_TEST(is_heard, "no such report of " << to_string(cause) << "; " << said());
        return found;
    }

    loop_report wait_for(loop_blockage cause)
    {
        return wait_for(cause, [](const loop_report&) { return true; });
    }

    std::string said() const
    {
        std::string all;
        for (const loop_report& each : blocked())
            all += each.text() + '\n';
        return all;
    }

private:
    mutable std::mutex mutex_;
    std::vector<loop_report> blocked_;
    std::vector<loop_report> recovered_;
    std::size_t told_before_ = 0;
};

// Keeps a thread computing until it is let go.
class spinner
{
public:
    void operator()()
    {
        began.count_down();
        while (!let_go_)
            ++turns_;
    }

    void let_go() { let_go_ = true; }

    test::latch began;

private:
    std::atomic<bool> let_go_{false};
    std::atomic<unsigned> turns_{0};
};

// Keeps a thread in read() until it is let go.
class reader
{
public:
    reader() { test::require(::pipe(ends_.data()) == 0, "pipe"); }
    reader(const reader&) = delete;
    reader& operator=(const reader&) = delete;
    ~reader()
    {
        let_go();
        ::close(ends_[0]);
    }

    void operator()()
    {
        char byte = 0;
        result_ = ::read(ends_[0], &byte, 1);
    }

    // Whether it read on to the end, whatever signals came.
    bool was_not_interrupted() const { return result_ == 0; }

    void let_go() { ::close(std::exchange(ends_[1], -1)); }

private:
    std::array<int, 2> ends_{};
    std::atomic<ssize_t> result_{-1};
};

std::vector<struct sigaction> dispositions()
{
    std::vector<struct sigaction> all(static_cast<std::size_t>(SIGRTMAX) + 1);
    for (int signal = 1; signal <= SIGRTMAX; ++signal)
        ::sigaction(signal, nullptr, &all[static_cast<std::size_t>(signal)]);
    return all;
}

// How many signals have another handler.
int changed(const std::vector<struct sigaction>& before)
{
    const auto now = dispositions();
    int count = 0;
    for (std::size_t i = 1; i < now.size(); ++i)
        count += now[i].sa_handler != before[i].sa_handler ? 1 : 0;
    return count;
}

std::set<std::string> threads()
{
    std::set<std::string> all;
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/task"))
        all.insert(each.path().filename());
    return all;
}

// Has a signal wait until the thread leaves the call that it is in, or makes one.
constexpr bool by_thread_sanitizer = LOOPS_TEST_THREAD_SANITIZER;

// Whether there is a stack, where that can be. A thread that gets no CPU in time has none, and one
// that has not answered since the watch began.
bool has_stack(const loop_report& report)
{
    return by_thread_sanitizer || std::any_of(report.threads.begin(), report.threads.end(),
                                      [](const auto& each) { return !each.stack.empty(); });
}

} // namespace

BOOST_AUTO_TEST_SUITE(decisions)

BOOST_AUTO_TEST_CASE(a_thread_is_held_up_by)
{
    struct row
    {
        thread_facts facts; // on_cpu, waiting, runnable, slept, throttled, went_on
        loop_blockage cause;
    };
    const row rows[] = {
        {{1.0, 0.0, true, false, false, false}, loop_blockage::busy_handler},
        {{0.3, 0.7, true, false, false, false}, loop_blockage::busy_handler},
        {{0.6, 0.1, true, true, false, false}, loop_blockage::busy_handler},
        {{0.0, 0.0, false, false, false, false}, loop_blockage::blocking_call},
        {{0.2, 0.1, false, true, false, false}, loop_blockage::blocking_call},
        {{0.2, 0.1, true, true, false, false}, loop_blockage::blocking_call},
        {{0.01, 0.0, true, false, false, false}, loop_blockage::starved},
        {{0.05, 0.9, false, true, false, false}, loop_blockage::starved},
        {{0.05, 0.9, true, true, false, true}, loop_blockage::starved},
        {{0.2, 0.8, true, false, true, false}, loop_blockage::throttled},
        {{0.2, 0.8, true, false, true, true}, loop_blockage::throttled},
        {{0.9, 0.1, true, false, true, false}, loop_blockage::busy_handler},
        {{0.0, 0.0, false, false, true, false}, loop_blockage::blocking_call},
        {{1.0, 0.0, true, false, false, true}, loop_blockage::flooded_queue},
        {{0.1, 0.0, false, true, false, true}, loop_blockage::flooded_queue},
    };
    for (const row& each : rows)
        BOOST_TEST(to_string(cause_of(each.facts)) == to_string(each.cause),
            "row " << &each - rows << ": " << to_string(cause_of(each.facts)));
}

BOOST_AUTO_TEST_CASE(a_loop_is_held_up_by_what_holds_most_of_its_threads)
{
    using all = std::vector<loop_blockage>;
    const auto busy = loop_blockage::busy_handler;
    const auto call = loop_blockage::blocking_call;
    BOOST_TEST((cause_of(all{}) == loop_blockage::not_run));
    BOOST_TEST((cause_of(all{call}) == call));
    BOOST_TEST((cause_of(all{call, busy, call}) == call));
    BOOST_TEST((cause_of(all{call, busy}) == busy));
}

BOOST_AUTO_TEST_CASE(a_loop_is_asked_looked_at_and_reported_at_doubled_times)
{
    using action = fsm::action;
    struct row
    {
        std::chrono::milliseconds now;
        bool is_out;
        bool can_answer;
        action what;
    };
    const row rows[] = {
        {0ms, false, true, action::ask},
        {10ms, true, true, action::look},
        {20ms, true, true, action::wait},
        {40ms, true, true, action::report},
        {50ms, true, true, action::wait},
        {80ms, true, true, action::report},
        {120ms, true, true, action::wait},
        {170ms, true, true, action::report}, // late; the next at 320 ms
        {310ms, true, true, action::wait},
        {320ms, true, true, action::report},
        {330ms, false, true, action::recover},
        {340ms, false, true, action::ask},
        // Late, as after a stop of the process: a second look is due.
        {900ms, true, true, action::look},
        {910ms, true, true, action::report},
        // Nobody is to answer any more: all begins anew, and is no recovery.
        {920ms, true, false, action::wait},
        {930ms, true, true, action::look},
        {959ms, true, true, action::wait},
        {960ms, true, true, action::report},
        {970ms, true, false, action::wait},
        {980ms, false, false, action::ask},
    };
    fsm it(40ms);
    const fsm::time_point zero;
    for (const row& each : rows)
        BOOST_TEST((it.next(zero + each.now, each.is_out, each.can_answer) == each.what),
            "row " << &each - rows);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(causes)

BOOST_AUTO_TEST_CASE(a_busy_handler)
{
    spinner spin;
    listener heard;
    const auto pool = std::make_shared<loops::pool_policy>(1);
    pool->watch_loops(heard.options());
    asio::post(pool->loop(0), std::ref(spin));
    const loop_report report = heard.wait_for(loop_blockage::busy_handler, has_stack);
    BOOST_TEST(report.loop == "loop 'pool-0'");
    BOOST_TEST((report.blocked_for >= 30ms));
    BOOST_TEST(report.work > 0);
    BOOST_REQUIRE(report.threads.size() == 1U);
    BOOST_TEST(report.threads[0].name == "pool-0");
    BOOST_TEST(report.threads[0].on_cpu > 0);
    if (by_thread_sanitizer)
        test::skipped("causes/a_busy_handler", report.text());
    else
        BOOST_TEST(report.text().find("\n  #0 ") != std::string::npos, report.text());

    // Again while it lasts, at longer and longer times. Before that the thread may have had no CPU.
    BOOST_REQUIRE(test::eventually([&] { return heard.blocked_now().size() >= 3; }));
    const std::size_t recoveries = heard.recovered().size();
    const auto all = heard.blocked_now();
    BOOST_TEST((all[1].blocked_for >= 60ms));
    BOOST_TEST((all[2].blocked_for >= 120ms));
    BOOST_TEST(test::eventually([&] { return heard.blocked_now().size() > all.size(); }));
    BOOST_TEST(heard.recovered().size() == recoveries);
    spin.let_go();
    BOOST_REQUIRE(test::eventually([&] { return heard.recovered().size() > recoveries; }));
    BOOST_TEST((heard.recovered()[recoveries].blocked_for >= all[2].blocked_for));
}

BOOST_AUTO_TEST_CASE(a_system_call_below_a_plain_run)
{
    reader read;
    listener heard;
    asio::io_context loop;
    const loops::loop_watch watch(loop, heard.options());
    auto work = asio::make_work_guard(loop);
    std::thread thread([&] { loop.run(); });
    // The thread is found by its answers: without one, all that is known is that the loop has work.
    BOOST_TEST(test::eventually([&] { return loops::stats_of(loop).highest_lag > 0ns; }));
    asio::post(loop, std::ref(read));
    const loop_report report = heard.wait_for(loop_blockage::blocking_call, has_stack);
    BOOST_REQUIRE(report.threads.size() == 1U);
    BOOST_TEST(report.threads[0].system_call == "read");
    BOOST_TEST(report.text().find(" in read") != std::string::npos, report.text());
    read.let_go();
    work.reset();
    thread.join();
    BOOST_TEST(read.was_not_interrupted());
}

BOOST_AUTO_TEST_CASE(a_handler_that_runs_another_loop)
{
    asio::io_context inner;
    auto work = asio::make_work_guard(inner);
    listener heard;
    const auto policy = std::make_shared<loops::threaded_policy>();
    policy->watch_loops(heard.options());
    asio::post(policy->get_event_loop(), [&] { inner.run(); });
    const loop_report report = heard.wait_for(loop_blockage::blocking_call);
    BOOST_TEST(!report.threads[0].system_call.empty());
    work.reset();
}

BOOST_AUTO_TEST_CASE(a_thread_without_a_cpu)
{
    spinner spin;
    std::atomic<bool> possible{true};
    listener heard;
    const auto pool = std::make_shared<loops::pool_policy>(1);
    pool->watch_loops(heard.options());
    // The loop's thread is pinned to a CPU that a thread of a higher class keeps busy.
    cpu_set_t before;
    cpu_set_t one;
    ::sched_getaffinity(0, sizeof before, &before);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu)
    {
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    }
    asio::post(pool->loop(0), [&] {
        const sched_param none{};
        possible = ::sched_setaffinity(0, sizeof one, &one) == 0 &&
                   ::sched_setscheduler(0, SCHED_IDLE, &none) == 0;
        spin();
    });
    BOOST_TEST(spin.began.wait());
    spinner hog;
    std::thread thread([&] {
        possible = ::sched_setaffinity(0, sizeof one, &one) == 0 && possible;
        hog();
    });
    BOOST_TEST(hog.began.wait());
    if (possible)
    {
        const loop_report report = heard.wait_for(loop_blockage::starved);
        BOOST_TEST(report.threads[0].on_cpu < 0.1);
    }
    else
    {
        test::skipped("causes/a_thread_without_a_cpu", "the system lets nobody choose a scheduler");
    }
    hog.let_go();
    thread.join();
    spin.let_go();
}

BOOST_AUTO_TEST_CASE(a_flooded_queue)
{
    listener heard;
    std::atomic<bool> enough{false};
    std::function<void()> again;
    const auto pool = std::make_shared<loops::pool_policy>(1);
    asio::io_context& loop = pool->loop(0);
    again = [&] {
        const auto end = std::chrono::steady_clock::now() + 100us;
        while (std::chrono::steady_clock::now() < end)
        {}
        if (!enough)
            asio::post(loop, again);
    };
    for (int i = 0; i < 1000; ++i) // a tenth of a second for a turn of all
        asio::post(loop, again);
    pool->watch_loops(heard.options());
    const loop_report report = heard.wait_for(loop_blockage::flooded_queue);
    BOOST_TEST(report.work >= 900);
    enough = true;
    // It came through, late as it was.
    BOOST_TEST(test::eventually([&] { return !heard.recovered().empty(); }));
}

BOOST_AUTO_TEST_CASE(a_loop_with_work_that_nobody_runs)
{
    listener heard;
    const auto policy = std::make_shared<loops::default_policy>();
    policy->watch_loops(heard.options());
    asio::io_context& loop = policy->get_event_loop();
    asio::post(loop, [] {});
    const loop_report report = heard.wait_for(loop_blockage::not_run);
    BOOST_TEST(report.threads.empty());
    BOOST_TEST(report.work == 1);
    BOOST_TEST(loops::run_loop(loop) == 1U);
    policy->unwatch_loops();
    loops::collect_stats(loop);
    loops::collect_stats(loop, false); // forgets the lag

    // It was run by this thread, which has left it with something to do.
    listener later;
    const loops::loop_watch watch(loop, later.options());
    loop.restart();
    asio::steady_timer timer(loop, 1h);
    timer.async_wait([](const loops::error_code&) {});
    asio::io_context& plain = loop;
    while (loops::stats_of(loop).highest_lag == 0ns)
        plain.run_for(10ms); // until it was asked
    const loop_report left = later.wait_for(loop_blockage::not_run);
    BOOST_TEST(left.work == 1);
}

BOOST_AUTO_TEST_CASE(a_loop_that_several_threads_run_answers_by_any_of_them)
{
    reader one;
    reader two;
    listener heard;
    asio::io_context adopted;
    const auto policy = std::make_shared<loops::shared_policy>(adopted, 2);
    policy->start();
    policy->watch_loops(heard.options(200ms));
    asio::post(adopted, std::ref(one));
    // The other thread answers, more often than it would take to be reported.
    std::atomic<int> turns{0};
    for (; turns < 100; std::this_thread::sleep_for(5ms))
    {
        test::latch turn;
        asio::post(adopted, [&] { turn.count_down(); });
        BOOST_TEST(turn.wait());
        ++turns;
    }
    for (const loop_report& each : heard.blocked())
        BOOST_TEST((each.cause == loop_blockage::starved), each.text());
    asio::post(adopted, std::ref(two));
    const loop_report report = heard.wait_for(loop_blockage::blocking_call, has_stack);
    BOOST_REQUIRE(report.threads.size() == 2U);
    BOOST_TEST(report.threads[1].system_call == "read");
    if (!by_thread_sanitizer)
        BOOST_TEST(report.text().find("\n  thread ") != std::string::npos, report.text());
    one.let_go();
    two.let_go();
    policy->stop();
    policy->join();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(watching)

BOOST_AUTO_TEST_CASE(loops_that_wait_are_not_reported)
{
    reader read;
    listener heard;
    const auto pool = std::make_shared<loops::pool_policy>(3);
    pool->watch_loops(heard.options(400ms));
    asio::steady_timer timer(pool->loop(1), 1h);
    timer.async_wait([](const loops::error_code&) {});
    const auto caller = std::make_shared<loops::default_policy>();
    caller->watch_loops(heard.options(400ms));
    caller->get_event_loop(); // nobody runs it, and it has no work
    // One that is blocked tells when it is time for reports.
    asio::post(pool->loop(2), std::ref(read));
    heard.wait_for(loop_blockage::blocking_call);
    BOOST_TEST(test::eventually([&] { return heard.blocked().size() >= 2; }));
    for (const loop_report& each : heard.blocked())
        BOOST_TEST(
            (each.loop == "loop 'pool-2'" || each.cause == loop_blockage::starved), each.text());
    read.let_go();
}

BOOST_AUTO_TEST_CASE(probes_are_no_work_and_no_handlers)
{
    test::log_capture log;
    loop_watch_options often;
    often.threshold = 10s;
    often.interval = 1ms;
    {
        const auto policy = std::make_shared<loops::default_policy>();
        policy->watch_loops(often);
        auto& loop = static_cast<loops::event_loop&>(policy->get_event_loop());
        int ran = 0;
        for (int i = 0; i < 30; ++i)
        {
            asio::post(loop, [&] { ++ran; });
            BOOST_TEST(loop.run_one() == 1U);
            BOOST_TEST(ran == 2 * i + 1);
            loop.restart();
            asio::steady_timer timer(loop, 3ms);
            timer.async_wait([&](const loops::error_code&) { ++ran; });
            const std::size_t told = loop.poll() + loop.poll_one() + loop.run_one_for(5us);
            // With io_uring Asio counts operations of its own as handlers.
            if (loops::backend() != loops::backend_type::io_uring)
                BOOST_TEST(told <= 1U);
            loop.run(); // ends for want of work
            BOOST_TEST(ran == 2 * i + 2);
            BOOST_TEST(loop.stopped());
            loop.restart();
            BOOST_TEST(loop.run() == 0U);
            loop.restart();
        }
        {
            asio::io_context& plain = loop;
            asio::steady_timer timer(plain, 20ms);
            timer.async_wait([&](const loops::error_code&) { ++ran; });
            BOOST_TEST(plain.run() >= 1U);
            BOOST_TEST(plain.stopped());
            loop.restart();
            // A run that nothing ends but a stop, under debug as well.
            loop.set_debug(true);
            timer.expires_after(20ms);
            timer.async_wait([&](const loops::error_code&) { loop.request_stop(); });
            loop.run_forever();
        }
        policy->close(); // and destroys the loop
    }
    BOOST_TEST(log.said() == ""); // no loop that died with work

    const auto pool = std::make_shared<loops::pool_policy>(2);
    pool->watch_loops(often);
    asio::steady_timer timer(pool->loop(0), 20ms);
    std::atomic<bool> there{false};
    timer.async_wait(
        [&](const loops::error_code&) { asio::post(pool->loop(1), [&] { there = true; }); });
    const auto report = pool->drain(test::patience);
    BOOST_TEST(report.complete);
    BOOST_TEST(there);
}

BOOST_AUTO_TEST_CASE(the_process_is_as_before_when_the_last_watch_ends)
{
    const auto before = dispositions();
    const auto alone = threads();
    {
        const auto pool = std::make_shared<loops::pool_policy>(1);
        pool->watch_loops();
        BOOST_TEST(changed(before) == 1);
        {
            asio::io_context loop;
            const loops::loop_watch other(loop);
            BOOST_TEST(changed(before) == 1); // it shares the signal, and the thread
            loop_watch_options without;
            without.stacks = false;
            const loops::loop_watch third(loop, without);
            BOOST_TEST(threads().size() == alone.size() + 1);
        }
        BOOST_TEST(changed(before) == 1);
        pool->unwatch_loops();
        BOOST_TEST(changed(before) == 0);
        BOOST_TEST(test::eventually([&] { return threads() == alone; }));
        pool->unwatch_loops();
        loop_watch_options chosen;
        chosen.stack_signal = SIGRTMIN + 3;
        pool->watch_loops(chosen);
        BOOST_TEST(changed(before) == 1);
        pool->start();
        pool->close();
        BOOST_TEST(changed(before) == 0);
        BOOST_TEST(test::eventually([&] { return threads() == alone; }));
    }
    {
        const auto dropped = loops::make_policy("pool:2,watch=1s");
        dropped->start();
    }
    BOOST_TEST(changed(before) == 0);
    BOOST_TEST(test::eventually([&] { return threads() == alone; }));
}

BOOST_AUTO_TEST_CASE(bad_input_is_refused_and_changes_nothing)
{
    const auto before = dispositions();
    asio::io_context loop;
    const auto watching = [&](auto change) {
        loop_watch_options options;
        change(options);
        return [&loop, options] { const loops::loop_watch it(loop, options); };
    };
    check_error(watching([](auto& it) { it.threshold = 0ms; }),
        make_error_code(errc::invalid_argument), "0 ns");
    check_error(watching([](auto& it) { it.interval = -1ms; }),
        make_error_code(errc::invalid_argument), "-1000000");
    check_error(watching([](auto& it) { it.stack_signal = 1000; }),
        make_error_code(errc::invalid_argument), "1000");
    const auto handler = std::signal(SIGUSR2, SIG_IGN);
    check_error(watching([](auto& it) { it.stack_signal = SIGUSR2; }),
        make_error_code(errc::device_or_resource_busy), "ignored");
    std::signal(SIGUSR2, handler);
    {
        const loops::loop_watch first(loop);
        check_error(watching([](auto& it) { it.stack_signal = SIGRTMIN + 3; }),
            make_error_code(errc::device_or_resource_busy), "while another");
    }
    asio::io_context unlocked(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    check_error([&] { const loops::loop_watch it(unlocked); },
        make_error_code(errc::operation_not_supported), "hint");
    loops::event_loop closed("gone");
    closed.close();
    check_error([&] { const loops::loop_watch it(closed); }, error::loop_closed, "gone");

    const auto policy = std::make_shared<loops::default_policy>();
    policy->close();
    check_error([&] { policy->watch_loops(); }, error::policy_closed);
    check_error([] { loops::make_policy("default,watch=5"); },
        make_error_code(errc::invalid_argument), "character 15");
    check_error([] { loops::make_policy("shared,watch=5us"); },
        make_error_code(errc::invalid_argument), "5us");
    BOOST_TEST(changed(before) == 0);
}

BOOST_AUTO_TEST_CASE(without_a_word_said_reports_are_logged)
{
    reader read;
    test::log_capture log;
    const auto pool = loops::make_policy("pool:1,watch=20ms");
    pool->for_each_loop([&](asio::io_context& loop) { asio::post(loop, std::ref(read)); });
    BOOST_TEST(test::eventually([&] {
        return log.said().find("loop 'pool-0' has not answered for") != std::string::npos;
    }));
    read.let_go();
    BOOST_TEST(test::eventually(
        [&] { return log.said().find("loop 'pool-0' answers again") != std::string::npos; }));
}

BOOST_AUTO_TEST_CASE(a_report_may_end_its_watch)
{
    reader read;
    std::atomic<int> calls{0};
    const auto before = dispositions();
    const auto pool = std::make_shared<loops::pool_policy>(1);
    loop_watch_options options;
    options.threshold = 10ms;
    options.on_blocked = [&](const loop_report&) {
        ++calls;
        pool->unwatch_loops();
    };
    asio::post(pool->loop(0), std::ref(read));
    for (int i = 1; i <= 2; ++i)
    {
        pool->watch_loops(options);
        BOOST_TEST(test::eventually([&] { return calls == i && changed(before) == 0; }));
    }
    options.on_blocked = [&](const loop_report&) {
        read.let_go();
        pool->close();
        ++calls; // as the last: what this uses is gone soon
    };
    pool->watch_loops(options);
    BOOST_TEST(test::eventually([&] { return calls == 3 && changed(before) == 0; }));
    BOOST_TEST(pool->is_closed());
}

BOOST_AUTO_TEST_CASE(a_loop_may_go_while_it_is_watched)
{
    loop_watch_options often;
    often.threshold = 1ms;
    often.interval = 1ms;
    std::atomic<int> calls{0};
    often.on_blocked = [&](const loop_report&) { ++calls; };
    for (int i = 0; i < 50; ++i)
    {
        auto loop = std::make_unique<asio::io_context>(1);
        const loops::loop_watch watch(*loop, often);
        asio::post(*loop, [] {});
        if (i % 2 == 0)
            loop->run_for(2ms);
        loop.reset();
    }
    const auto policy = std::make_shared<loops::threaded_policy>();
    policy->watch_loops(often);
    for (int i = 0; i < 20; ++i)
    {
        const auto loop = policy->new_event_loop();
        test::latch ran;
        asio::post(*loop, [&] { ran.count_down(); });
        BOOST_TEST(ran.wait());
    }
    BOOST_TEST(calls >= 0);
}

BOOST_AUTO_TEST_CASE(a_forked_child_watches_its_own_loops)
{
    if (test::no_threads_in_child("watching/a_forked_child_watches_its_own_loops"))
        return;
    const auto before = dispositions();
    const auto pool = std::make_shared<loops::pool_policy>(1);
    std::atomic<int> calls{0};
    loop_watch_options options;
    options.threshold = 20ms;
    options.on_blocked = [&](const loop_report& report) {
        calls += report.cause == loop_blockage::blocking_call ? 1 : 0;
    };
    pool->watch_loops(options);
    pool->start();
    const int code = test::in_forked_child([&] {
        if (changed(before) != 0)
            return 1;
        reader read;
        asio::post(pool->loop(0), std::ref(read));
        if (!test::eventually([&] { return calls > 0; }))
            return 2;
        read.let_go();
        pool->close();
        return changed(before) == 0 ? 0 : 3;
    });
    BOOST_TEST(code == 0);
    BOOST_TEST(changed(before) == 1);
    BOOST_TEST(calls == 0);
}

BOOST_AUTO_TEST_SUITE_END()
