// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE slow_handlers
#include <loops/event_loop.hpp>
#include <loops/log.hpp>
#include <loops/policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/threaded_policy.hpp>

#include "support/error_check.hpp"
#include "support/latch.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using loops::event_loop;

namespace {

// Takes what is logged, on whatever thread.
class log_capture
{
public:
    log_capture()
        : before_(loops::set_log_hook([this](std::string_view text) {
              const std::lock_guard lock(mutex_);
              said_.emplace_back(text);
          }))
    {}

    log_capture(const log_capture&) = delete;
    log_capture& operator=(const log_capture&) = delete;

    ~log_capture() { loops::set_log_hook(before_); }

    std::size_t count(const std::string& word)
    {
        const std::lock_guard lock(mutex_);
        return static_cast<std::size_t>(std::count_if(said_.begin(), said_.end(),
            [&](const std::string& text) { return text.find(word) != std::string::npos; }));
    }

private:
    std::mutex mutex_;
    std::vector<std::string> said_;
    const loops::log_hook before_;
};

void burn(std::chrono::steady_clock::duration time)
{
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end)
    {}
}

} // namespace

BOOST_AUTO_TEST_CASE(debug_mode_takes_effect_in_a_run_that_is_under_way)
{
    using namespace std::chrono_literals;
    log_capture log;
    const auto pool = std::make_shared<loops::pool_policy>(1);
    const auto threaded = std::make_shared<loops::threaded_policy>();
    for (auto* const each : {&pool->loop(0), &threaded->get_event_loop()})
    {
        auto& loop = static_cast<event_loop&>(*each);
        loop.set_slow_callback_duration(10ms);
        test::latch runs;
        asio::post(loop, [&] { runs.count_down(); });
        BOOST_TEST(runs.wait());
        const std::string name = "'" + loop.name() + "'";
        loop.set_debug(true);
        asio::post(loop, [] { burn(20ms); });
        BOOST_TEST(test::eventually([&] { return log.count(name) > 0; }));
        loop.set_debug(false);
        // One that comes while the run finds out may be reported, and so may any that gets no CPU.
        BOOST_TEST(test::eventually([&] {
            const std::size_t reports = log.count(name);
            test::latch done;
            asio::post(loop, [] { burn(20ms); });
            asio::post(loop, [&] { done.count_down(); }); // the report comes after the handler
            return done.wait() && log.count(name) == reports;
        }));
        const std::size_t reports = log.count(name);
        loop.set_debug(true);
        asio::post(loop, [] { burn(20ms); });
        BOOST_TEST(test::eventually([&] { return log.count(name) > reports; }));
    }
}

BOOST_AUTO_TEST_CASE(debug_mode_reaches_each_thread_that_waits)
{
    using namespace std::chrono_literals;
    log_capture log;
    event_loop loop("many");
    loop.set_slow_callback_duration(5ms);
    const auto two_at_once = [&](auto what) {
        test::latch both(2);
        test::latch done(2);
        for (int i = 0; i < 2; ++i)
        {
            asio::post(loop, [&] {
                both.count_down();
                both.wait();
                what();
                done.count_down();
            });
        }
        return done.wait();
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
        threads.emplace_back([&] { loop.run_forever(); });
    BOOST_TEST(two_at_once([] {}));
    loop.set_debug(true);
    // Nobody tells when a thread that was asked to has gone over: asked until both have.
    BOOST_TEST(test::eventually([&] {
        const std::size_t before = log.count("'many'");
        two_at_once([] { burn(10ms); });
        two_at_once([] {}); // the reports come after the handlers
        if (log.count("'many'") - before >= 2)
            return true;
        loop.set_debug(false);
        loop.set_debug(true);
        return false;
    }));
    loop.request_stop();
    for (std::thread& each : threads)
        each.join();
}

BOOST_AUTO_TEST_CASE(slow_handlers_are_measured_to_the_millisecond)
{
    using namespace std::chrono_literals;
    log_capture log;
    event_loop loop("slow");
    loop.set_debug(true);
    BOOST_TEST((loop.slow_callback_duration() == 100ms));
    asio::post(loop, [] { burn(101ms); });
    loop.run();
    BOOST_TEST(log.count("'slow'") == 1U);
    loop.restart();
    asio::steady_timer timer(loop, 5ms);
    timer.async_wait([](const loops::error_code&) { burn(102ms); });
    loop.run();
    BOOST_TEST(log.count("'slow'") == 2U);
    loop.restart();
    asio::post(loop, [] {
        burn(101ms);
        throw std::runtime_error("late, too");
    });
    BOOST_CHECK_THROW(loop.run(), std::runtime_error);
    BOOST_TEST(log.count("'slow'") == 3U);
}

BOOST_AUTO_TEST_CASE(a_slow_handler_is_reported_in_debug_mode)
{
    using namespace std::chrono_literals;
    std::vector<std::string> said;
    const auto before =
        loops::set_log_hook([&](std::string_view text) { said.emplace_back(text); });
    event_loop loop("slow");
    BOOST_TEST((loop.slow_callback_duration() == 100ms));
    loop.set_slow_callback_duration(10ms);
    const auto burn = [] {
        const auto end = std::chrono::steady_clock::now() + 40ms;
        while (std::chrono::steady_clock::now() < end)
        {}
    };
    asio::post(loop, burn);
    loop.run();
    BOOST_TEST(said.empty());
    loop.set_debug(true);
    loop.restart();
    asio::post(loop, burn);
    loop.run();
    loops::set_log_hook(before);
    BOOST_REQUIRE(said.size() == 1U);
    BOOST_TEST(said[0].find("'slow'") != std::string::npos);
}
