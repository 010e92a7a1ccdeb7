// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Threads that poll before they sleep. What else a pool does is tested for these in contract/, too.

#define BOOST_TEST_MODULE pool_spin
#include <loops/backend.hpp>
#include <loops/error.hpp>
#include <loops/event_loop.hpp>
#include <loops/loop_stats.hpp>
#include <loops/loop_watch.hpp>
#include <loops/make_policy.hpp>
#include <loops/parking.hpp>
#include <loops/policy/pool_policy.hpp>

#include "support/error_check.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"
#include "support/log_capture.hpp"
#include "support/skipped.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/errc.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <pthread.h>
#include <time.h>
#include <unistd.h>

namespace asio = boost::asio;
using loops::error;
using loops::pool_options;
using loops::pool_policy;
using test::check_error;
using namespace std::chrono_literals;

namespace {

const auto invalid = make_error_code(boost::system::errc::invalid_argument);

std::shared_ptr<pool_policy> pool_that_spins(std::chrono::nanoseconds spin, std::size_t threads = 2)
{
    pool_options options;
    options.threads = threads;
    options.spin = spin;
    return std::make_shared<pool_policy>(options);
}

bool runs(asio::io_context& loop)
{
    const auto ran = std::make_shared<test::latch>();
    asio::post(loop, [ran] { ran->count_down(); });
    return ran->wait();
}

// The thread of a loop, seen from another one.
class loop_thread
{
public:
    explicit loop_thread(asio::io_context& loop)
    {
        test::latch asked;
        asio::post(loop, [&] {
            number_ = ::gettid();
            ::pthread_getcpuclockid(::pthread_self(), &clock_);
            asked.count_down();
        });
        BOOST_REQUIRE(asked.wait());
    }

    std::chrono::nanoseconds used() const
    {
        timespec now{};
        ::clock_gettime(clock_, &now);
        return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
    }

    bool sleeps() const
    {
        std::ifstream file("/proc/self/task/" + std::to_string(number_) + "/stat");
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        const std::size_t name_end = text.rfind(") ");
        return name_end != std::string::npos && text.substr(name_end + 2, 1) == "S";
    }

private:
    pid_t number_ = 0;
    clockid_t clock_{};
};

// Has the thread poll until it has used so much of its CPU since its last handler.
bool polls_for(asio::io_context& loop, const loop_thread& thread, std::chrono::nanoseconds time)
{
    for (int tries = 0; tries < 20; ++tries)
    {
        if (!runs(loop))
            return false;
        const auto before = thread.used();
        const auto end = std::chrono::steady_clock::now() + pool_options::most_spin;
        while (std::chrono::steady_clock::now() < end)
        {
            if (thread.used() - before >= time)
                return true;
            std::this_thread::yield();
        }
    }
    return false;
}

} // namespace

BOOST_AUTO_TEST_CASE(only_times_that_make_sense_are_taken)
{
    BOOST_TEST((pool_options().spin == 0ns));
    for (const std::chrono::nanoseconds good : {0ns, 1ns, pool_options::most_spin})
        BOOST_TEST(runs(pool_that_spins(good)->loop(0)));
    using limits = std::numeric_limits<std::chrono::nanoseconds::rep>;
    for (const auto bad : {std::chrono::nanoseconds(-1), pool_options::most_spin + 1ns,
             std::chrono::nanoseconds(limits::min()), std::chrono::nanoseconds(limits::max())})
        check_error(
            [&] { pool_that_spins(bad); }, invalid, "a spin of " + std::to_string(bad.count()));
}

BOOST_AUTO_TEST_CASE(descriptions_say_how_long)
{
    for (const char* good : {"pool:1,spin=0s", "pool:1,spin=20us,name=web", "pool:1,spin=1s",
             "bounded:2/pool:1,spin=100ns"})
        BOOST_TEST(runs(loops::make_policy(good)->select_event_loop()));
    const auto bad = [](const char* text, const char* word) {
        check_error([&] { loops::make_policy(text); }, invalid, word);
    };
    bad("pool,spin=", "character 11: expected a time in ns");
    bad("pool,spin=20", "character 11: expected a time in ns");
    bad("pool,spin=-1us", "character 11: expected a time in ns");
    bad("pool:2,spin=2s", "character 13: expected a time of a second or less, found '2s'");
    bad("pool,spin=1s,spin=1s", "each key once");
    bad("shared,spin=1s", "character 8: expected one of watch");

    const auto polling = loops::make_policy("pool:1,spin=1s");
    asio::io_context& loop = polling->select_event_loop();
    BOOST_TEST(polls_for(loop, loop_thread(loop), 1ms));
}

BOOST_AUTO_TEST_CASE(a_thread_polls_for_its_time_and_then_sleeps)
{
    const auto pool = pool_that_spins(pool_options::most_spin);
    asio::io_context& loop = pool->loop(0);
    const loop_thread thread(loop);
    BOOST_TEST(polls_for(loop, thread, 5ms));
    // A thread that sleeps uses nothing, however long that is looked at.
    BOOST_TEST(test::eventually([&] {
        const auto before = thread.used();
        const bool slept = thread.sleeps();
        for (int i = 0; i < 100; ++i)
            runs(pool->loop(1));
        return slept && thread.sleeps() && thread.used() == before;
    }));
    BOOST_TEST(polls_for(loop, thread, 5ms)); // and again
}

BOOST_AUTO_TEST_CASE(all_kinds_of_work_reach_a_thread_that_polls_or_sleeps)
{
    for (const std::chrono::nanoseconds spin : {std::chrono::nanoseconds(1us), 1'000'000'000ns})
    {
        const auto pool = pool_that_spins(spin);
        asio::io_context& here = pool->loop(0);
        asio::io_context& there = pool->loop(1);
        // To and fro; where CPUs are short, a thread that polls waits its turn for each hop.
        int left = 30;
        test::latch over;
        std::function<void()> hop = [&] {
            if (left-- > 0)
                asio::post(left % 2 == 0 ? here : there, hop);
            else
                over.count_down();
        };
        asio::post(here, hop);
        BOOST_TEST(over.wait());
        // Of its own, and from the reactor.
        test::latch expired(3);
        asio::steady_timer timer(here);
        std::function<void()> wait = [&] {
            timer.expires_after(1ms);
            timer.async_wait([&](const loops::error_code& ec) {
                expired.count_down();
                if (!ec)
                    wait();
            });
        };
        asio::post(here, wait);
        BOOST_TEST(expired.wait());
        pool->stop();
        pool->join();
    }
}

BOOST_AUTO_TEST_CASE(a_thread_that_polls_is_stopped_drained_and_closed)
{
    const auto pool = pool_that_spins(pool_options::most_spin);
    for (int i = 0; i < 3; ++i)
    {
        pool->start();
        BOOST_TEST(runs(pool->loop(0)));
        pool->stop();
        pool->join();
    }
    // What the loops hand to each other is run to its end, on both.
    pool->start();
    std::atomic<int> left{30};
    std::function<void()> hop = [&] {
        if (--left > 0)
            asio::post(pool->loop(left % 2 == 0 ? 0 : 1), hop);
    };
    asio::post(pool->loop(0), hop);
    BOOST_TEST(pool->drain(test::patience).complete);
    BOOST_TEST(left == 0);
    pool->start();
    BOOST_TEST(runs(pool->loop(1)));

    auto& loop = static_cast<loops::event_loop&>(pool->loop(0));
    loop.request_stop();
    BOOST_TEST(runs(loop)); // it leaves the pool's thread
    loop.stop();
    std::atomic<bool> ran{false};
    asio::post(loop, [&] { ran = true; });
    loop.restart();
    BOOST_TEST(test::eventually([&] {
        pool->start();
        return ran.load();
    }));
    pool->close();
    check_error([&] { pool->start(); }, error::policy_closed);
}

BOOST_AUTO_TEST_CASE(exceptions_and_hooks_are_those_of_any_pool)
{
    std::atomic<int> hooks{0};
    pool_options options;
    options.threads = 2;
    options.spin = pool_options::most_spin;
    options.on_thread_start = [&](std::size_t) { ++hooks; };
    options.on_thread_stop = [&](std::size_t) { ++hooks; };
    const auto pool = std::make_shared<pool_policy>(options);
    asio::post(pool->loop(0), [] { throw std::runtime_error("thrown by a handler"); });
    BOOST_CHECK_THROW(pool->join(), std::runtime_error);
    BOOST_TEST(hooks == 4);

    int handled = 0;
    auto& loop = static_cast<loops::event_loop&>(pool->loop(0));
    loop.set_exception_handler([&](const std::exception_ptr&) { ++handled; });
    pool->start();
    for (int i = 0; i < 3; ++i)
        asio::post(loop, [] { throw std::runtime_error("handled"); });
    BOOST_TEST(runs(loop));
    pool->stop();
    pool->join();
    BOOST_TEST(handled == 3);
}

BOOST_AUTO_TEST_CASE(to_poll_in_vain_is_not_to_be_busy)
{
    const auto pool = pool_that_spins(pool_options::most_spin, 1);
    asio::io_context& loop = pool->loop(0);
    const loop_thread thread(loop);
    loops::collect_stats(loop);
    BOOST_TEST(test::eventually([&] { return runs(loop) && loops::stats_of(loop).handlers > 0; }));
    const auto before = loops::stats_of(loop);
    const auto used_before = thread.used();
    BOOST_TEST(polls_for(loop, thread, 20ms));
    const auto polled = loops::stats_of(loop).since(before);
    const auto used = thread.used() - used_before;
    BOOST_TEST((polled.cpu >= 0ns));
    BOOST_TEST((polled.cpu < used / 2));

    // A handler is, in the middle of it.
    test::latch burnt;
    test::latch seen;
    const auto between = loops::stats_of(loop);
    asio::post(loop, [&] {
        const auto end = thread.used() + 20ms;
        while (thread.used() < end)
        {}
        burnt.count_down();
        seen.wait();
    });
    BOOST_TEST(burnt.wait());
    BOOST_TEST((loops::stats_of(loop).since(between).cpu >= 19ms));
    const auto base = loops::stats_of(loop).handlers;
    seen.count_down();
    for (int i = 0; i < 999; ++i)
        asio::post(loop, [] {});
    BOOST_TEST(runs(loop));
    // With the one that was seen in the middle.
    BOOST_TEST(test::eventually([&] { return loops::stats_of(loop).handlers == base + 1001; }));
    loops::collect_stats(loop, false);
    BOOST_TEST(polls_for(loop, thread, 5ms));
}

BOOST_AUTO_TEST_CASE(slow_handlers_and_blocked_loops_are_reported)
{
    const test::log_capture log;
    const auto pool = pool_that_spins(pool_options::most_spin, 1);
    auto& loop = static_cast<loops::event_loop&>(pool->loop(0));
    BOOST_TEST(runs(loop));
    loop.set_slow_callback_duration(10ms);
    loop.set_debug(true);
    asio::post(loop, [] { std::this_thread::sleep_for(20ms); });
    BOOST_TEST(test::eventually(
        [&] { return log.said().find("held loop 'pool-0' up") != std::string::npos; }));
    BOOST_TEST(polls_for(loop, loop_thread(loop), 5ms)); // in this mode as well
    loop.set_debug(false);

    test::latch blocked;
    loops::loop_watch_options options;
    options.threshold = 20ms;
    options.on_blocked = [&](const loops::loop_report&) { blocked.count_down(); };
    pool->watch_loops(options);
    test::latch enough;
    asio::post(loop, [&] { enough.wait(); });
    BOOST_TEST(blocked.wait());
    enough.count_down();
    BOOST_TEST(runs(loop));
}

BOOST_AUTO_TEST_CASE(threads_that_poll_are_parked_for_a_fork)
{
    using context = asio::execution_context;
    if (loops::backend() == loops::backend_type::io_uring)
        return test::skipped("threads_that_poll_are_parked_for_a_fork",
            "Asio's io_uring backend loses operations in a forked child");
    const auto pool = pool_that_spins(pool_options::most_spin);
    asio::io_context& loop = pool->loop(0);
    const loop_thread thread(loop);
    BOOST_TEST(polls_for(loop, thread, 1ms));
    {
        std::optional<loops::parking> parked(std::in_place);
        loops::notify_fork(context::fork_prepare);
        const int code = test::in_forked_child([&] {
            ::alarm(60);
            loops::notify_fork(context::fork_child);
            parked.reset();
            bool ran = false;
            asio::post(loop, [&] { ran = true; });
            static_cast<loops::event_loop&>(loop).run_one();
            return ran ? 0 : 1;
        });
        loops::notify_fork(context::fork_parent);
        BOOST_TEST(code == 0);
    }
    BOOST_TEST(polls_for(loop, thread, 1ms));

    if (test::no_threads_in_child("threads_that_poll_are_parked_for_a_fork"))
        return;
    const int code = test::in_forked_child([&] {
        ::alarm(60);
        asio::io_context& own = pool->loop(0);
        return &own != &loop && polls_for(own, loop_thread(own), 1ms) ? 0 : 1;
    });
    BOOST_TEST(code == 0);
}
