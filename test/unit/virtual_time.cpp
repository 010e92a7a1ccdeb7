// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE virtual_time

#include <loops/event_loop.hpp>
#include <loops/make_policy.hpp>
#include <loops/policy/keyed_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/priority_policy.hpp>
#include <loops/policy/virtual_time_policy.hpp>
#include <loops/run.hpp>

#include "support/error_check.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;
using loops::loop_clock;
using loops::loop_timer;
using std::chrono::steady_clock;

namespace {

std::shared_ptr<loops::virtual_time_policy> make(loops::virtual_time_options options = {})
{
    return std::make_shared<loops::virtual_time_policy>(options);
}

// Of a test that would wait for hours if its time were real.
constexpr auto a_moment = 30s;

} // namespace

BOOST_AUTO_TEST_CASE(hours_pass_at_once)
{
    const loops::policy_scope scope(make());
    const auto begin = loop_clock::now();
    const auto real_begin = steady_clock::now();
    std::vector<std::string> order;
    asio::io_context& loop = loops::get_event_loop();
    loop_timer third(loop, 72h);
    loop_timer first(loop, 1ms);
    loop_timer second(loop, 24h);
    const auto write = [&](const char* what, loop_clock::duration at) {
        return [&order, what, due = begin + at](const loops::error_code& ec) {
            BOOST_TEST(!ec);
            BOOST_TEST((loop_clock::now() == due));
            order.emplace_back(what);
        };
    };
    third.async_wait(write("third", 72h));
    first.async_wait(write("first", 1ms));
    second.async_wait(write("second", 24h));
    BOOST_TEST(loops::run_loop(loop) == 3U);
    BOOST_TEST(order == (std::vector<std::string>{"first", "second", "third"}),
        boost::test_tools::per_element());
    BOOST_TEST((loop_clock::now() == begin + 72h));
    BOOST_TEST((steady_clock::now() - real_begin < a_moment));
}

// A thousand waits of an hour each, one after the other, each made by the one before.
BOOST_AUTO_TEST_CASE(waits_follow_each_other)
{
    const loops::policy_scope scope(make());
    const auto begin = loop_clock::now();
    loop_timer timer(loops::get_event_loop());
    int left = 1000;
    std::function<void(loops::error_code)> again = [&](loops::error_code) {
        if (--left == 0)
            return;
        timer.expires_after(1h);
        timer.async_wait(again);
    };
    timer.expires_after(1h);
    timer.async_wait(again);
    loops::run_loop(loops::get_event_loop());
    BOOST_TEST(left == 0);
    BOOST_TEST((loop_clock::now() - begin == 1000h));
}

BOOST_AUTO_TEST_CASE(what_was_cancelled_is_not_waited_for)
{
    const loops::policy_scope scope(make());
    const auto begin = loop_clock::now();
    asio::io_context& loop = loops::get_event_loop();
    loop_timer cancelled(loop, 1h);
    loop_timer moved(loop, 2h);
    loop_timer never(loop, loop_clock::time_point::max());
    loops::error_code ec;
    cancelled.async_wait([&](const loops::error_code& how) { ec = how; });
    moved.async_wait([](const loops::error_code&) {});
    never.async_wait([](const loops::error_code&) {});
    cancelled.cancel();
    moved.expires_after(5h);
    bool moved_ended = false;
    moved.async_wait([&](const loops::error_code&) {
        moved_ended = true;
        never.cancel();
    });
    loops::run_loop(loop);
    BOOST_TEST((ec == asio::error::operation_aborted));
    BOOST_TEST(moved_ended);
    BOOST_TEST((loop_clock::now() - begin == 5h));
}

BOOST_AUTO_TEST_CASE(what_is_ready_comes_first)
{
    const loops::policy_scope scope(make());
    asio::io_context& loop = loops::get_event_loop();
    loop_timer timer(loop, 1ns);
    bool expired = false;
    timer.async_wait([&](const loops::error_code&) { expired = true; });
    int left = 100;
    std::function<void()> again = [&] {
        BOOST_TEST(!expired);
        if (--left > 0)
            asio::post(loop, again);
    };
    asio::post(loop, again);
    loops::run_loop(loop);
    BOOST_TEST(left == 0);
    BOOST_TEST(expired);
}

BOOST_AUTO_TEST_CASE(runs_for_a_time)
{
    const loops::policy_scope scope(make());
    const auto loop = loops::new_event_loop();
    const auto busy = asio::make_work_guard(*loop);
    const auto begin = loop_clock::now();
    loop_timer timer(*loop, 90min);
    timer.async_wait([](const loops::error_code&) {});
    BOOST_TEST(loop->run_for(1h) == 0U);
    BOOST_TEST((loop_clock::now() - begin == 1h));
    BOOST_TEST(loop->run_until(begin + 3h) == 1U);
    BOOST_TEST((loop_clock::now() - begin == 3h));
    BOOST_TEST(loop->poll() == 0U);
    timer.expires_after(1h);
    timer.async_wait([](const loops::error_code&) {});
    BOOST_TEST(loop->poll() == 0U); // it does not wait
    BOOST_TEST(loop->run_one() == 1U);
    BOOST_TEST((loop_clock::now() - begin == 4h));
}

// The order is one, whatever the real time did; another seed makes another one.
BOOST_AUTO_TEST_CASE(a_seed_chooses_the_order)
{
    const auto order_by = [](std::optional<std::uint64_t> seed) {
        loops::virtual_time_options options;
        options.shuffle = seed;
        const auto policy = make(options);
        const loops::policy_scope scope(policy);
        const auto executor = policy->get_executor();
        std::vector<int> order;
        std::vector<loop_timer> timers;
        for (int i = 0; i != 20; ++i)
        {
            timers.emplace_back(loops::get_event_loop(), 1h);
            timers.back().async_wait(asio::bind_executor(
                executor, [&order, i](const loops::error_code&) { order.push_back(i); }));
        }
        for (int i = 20; i != 40; ++i)
            asio::post(executor, [&order, i] { order.push_back(i); });
        loops::run_loop(loops::get_event_loop());
        return order;
    };
    std::vector<int> plain(40);
    std::iota(plain.begin(), plain.begin() + 20, 20);
    std::iota(plain.begin() + 20, plain.end(), 0);
    const auto unshuffled = order_by(std::nullopt);
    BOOST_TEST(std::vector<int>(unshuffled.begin(), unshuffled.begin() + 20) ==
                   std::vector<int>(plain.begin(), plain.begin() + 20),
        boost::test_tools::per_element());
    BOOST_TEST(order_by(std::nullopt) == unshuffled, boost::test_tools::per_element());
    const auto first = order_by(1);
    BOOST_TEST(first == order_by(1), boost::test_tools::per_element());
    BOOST_TEST((first != unshuffled));
    BOOST_TEST((first != order_by(2)));
    auto sorted = first;
    std::sort(sorted.begin(), sorted.end());
    BOOST_TEST(sorted.size() == 40U);
    BOOST_TEST(sorted.front() == 0);
    BOOST_TEST(sorted.back() == 39);
    // What is not ready yet is not shuffled with what is.
    for (int i = 0; i != 20; ++i)
        BOOST_TEST(first[static_cast<std::size_t>(i)] >= 20);
}

// Code that is right in one order only: some seed shows that.
BOOST_AUTO_TEST_CASE(seeds_find_a_bug_of_order)
{
    int wrong = 0;
    for (std::uint64_t seed = 0; seed != 20; ++seed)
    {
        loops::virtual_time_options options;
        options.shuffle = seed;
        const auto policy = make(options);
        const auto executor = policy->get_executor();
        bool opened = false;
        asio::post(executor, [&] { opened = true; });
        asio::post(executor, [&] { wrong += opened ? 0 : 1; });
        loops::run_loop(executor.query(asio::execution::context));
    }
    BOOST_TEST(wrong > 0);
    BOOST_TEST(wrong < 20);
}

// Priorities hold; what has the same one is shuffled.
BOOST_AUTO_TEST_CASE(priorities_are_obeyed)
{
    const auto policy = std::dynamic_pointer_cast<loops::priority_policy>(
        loops::make_policy("priority:2/virtual_time,shuffle=3/default"));
    BOOST_REQUIRE(policy);
    std::vector<int> order;
    const auto high = policy->get_executor(1);
    const auto low = policy->get_executor(0);
    for (int i = 0; i != 10; ++i)
        asio::post(low, [&order, i] { order.push_back(i); });
    for (int i = 10; i != 20; ++i)
        asio::post(high, [&order, i] { order.push_back(i); });
    loops::run_loop(policy->get_event_loop());
    BOOST_TEST(std::all_of(order.begin(), order.begin() + 10, [](int i) { return i >= 10; }));
    BOOST_TEST(!std::is_sorted(order.begin(), order.begin() + 10));
    BOOST_TEST(!std::is_sorted(order.begin() + 10, order.end()));
}

BOOST_AUTO_TEST_CASE(by_hand)
{
    loops::virtual_time_options options;
    options.auto_advance = false;
    const auto policy = make(options);
    const loops::policy_scope scope(policy);
    const auto begin = policy->now();
    loop_timer timer(loops::get_event_loop(), 1h);
    bool expired = false;
    timer.async_wait([&](const loops::error_code&) { expired = true; });
    auto& loop = static_cast<loops::event_loop&>(loops::get_event_loop());
    policy->advance(59min);
    BOOST_TEST(loop.run_one_until(policy->now()) == 0U);
    BOOST_TEST(!expired);
    BOOST_TEST((policy->now() == begin + 59min));
    policy->advance(1min);
    BOOST_TEST(loop.run() == 1U);
    BOOST_TEST(expired);
    loop.restart();
    test::check_error([&] { policy->advance(-1ns); },
        make_error_code(boost::system::errc::invalid_argument), "-1 ns");
    policy->set_auto_advance(true);
    BOOST_TEST(policy->auto_advance());
    timer.expires_after(1h);
    timer.async_wait([](const loops::error_code&) {});
    loops::run_loop(loops::get_event_loop());
    BOOST_TEST((policy->now() == begin + 2h));
}

// What is real comes before the time jumps, if it comes within the idle time.
BOOST_AUTO_TEST_CASE(waits_for_what_comes_from_outside)
{
    loops::virtual_time_options options;
    options.idle = 2s;
    const loops::policy_scope scope(make(options));
    asio::io_context& loop = loops::get_event_loop();
    using asio::ip::udp;
    udp::socket socket(loop, {asio::ip::address_v4::loopback(), 0});
    loop_timer deadline(loop, 10s);
    std::string got;
    deadline.async_wait([&](const loops::error_code& ec) {
        if (!ec)
            got = "too late";
        socket.cancel();
    });
    char data[8];
    socket.async_receive(asio::buffer(data), [&](const loops::error_code& ec, std::size_t size) {
        if (!ec)
            got.assign(data, size);
        deadline.cancel();
    });
    asio::steady_timer soon(loop, 20ms); // of another clock: real
    soon.async_wait([&](const loops::error_code&) {
        socket.send_to(asio::buffer("text", 4), socket.local_endpoint());
    });
    loops::run_loop(loop);
    BOOST_TEST(got == "text");
}

// The loops of several threads are one world: the time jumps when all of them have nothing to run.
BOOST_AUTO_TEST_CASE(several_loops_have_one_time)
{
    const auto pool = std::make_shared<loops::pool_policy>(3);
    const auto policy = std::make_shared<loops::virtual_time_policy>(pool);
    const auto begin = policy->now();
    policy->start();
    constexpr int rounds = 200;
    std::vector<std::unique_ptr<loop_timer>> timers;
    std::atomic<int> left{3 * rounds};
    std::atomic<int> wrong{0};
    test::latch all;
    // Each wait is on the next loop.
    std::function<void(std::size_t, int)> wait = [&](std::size_t chain, int round) {
        const auto due = begin + (round + 1) * 1h;
        auto timer = std::make_shared<loop_timer>(
            pool->loop((chain + static_cast<std::size_t>(round)) % 3), due);
        timer->async_wait([&, timer, chain, round, due](const loops::error_code&) {
            if (policy->now() != due)
                ++wrong;
            if (--left == 0)
                all.count_down();
            else if (round + 1 < rounds)
                wait(chain, round + 1);
        });
    };
    {
        loops::virtual_time_policy& time = *policy;
        time.set_auto_advance(false);
        for (std::size_t chain = 0; chain != 3; ++chain)
            wait(chain, 0);
        time.set_auto_advance(true);
    }
    BOOST_TEST(all.wait());
    BOOST_TEST(wrong == 0);
    policy->close();
}

namespace {

// A policy whose loop a thread runs, while this one moves its time on by an hour at a time.
class drained_world
{
public:
    drained_world() : policy(make(by_hand())), loop(policy->get_event_loop()) {}

    static loops::virtual_time_options by_hand()
    {
        loops::virtual_time_options options;
        options.auto_advance = false;
        return options;
    }

    loops::drain_report drain(loop_clock::duration limit)
    {
        std::thread runner([this] {
            policy->set_event_loop(&loop);
            policy->run();
        });
        test::latch runs;
        asio::post(loop, [&] { runs.count_down(); });
        BOOST_TEST(runs.wait());
        test::latch begins;
        policy->on_drain([&] { begins.count_down(); });
        std::atomic<bool> ended{false};
        loops::drain_report report;
        std::thread drainer([&] {
            report = policy->drain(limit);
            ended = true;
        });
        BOOST_TEST(begins.wait());
        BOOST_TEST(test::eventually([&] {
            if (!ended)
                policy->advance(1h);
            return ended.load();
        }));
        drainer.join();
        runner.join();
        return report;
    }

    const std::shared_ptr<loops::virtual_time_policy> policy;
    asio::io_context& loop;
};

} // namespace

BOOST_AUTO_TEST_CASE(a_drain_reaches_its_limit)
{
    drained_world world;
    std::atomic<int> expired{0};
    loop_timer late(world.loop, 1000000h);
    late.async_wait([&](const loops::error_code& ec) { expired += ec ? 0 : 10; });
    loop_timer early(world.loop, 1h);
    early.async_wait([&](const loops::error_code&) { ++expired; });
    const auto report = world.drain(5000h);
    BOOST_TEST(!report.complete);
    BOOST_TEST((report.elapsed >= 5000h && report.elapsed < 10000h));
    BOOST_TEST(expired == 1);
}

BOOST_AUTO_TEST_CASE(a_drain_ends_with_the_work)
{
    drained_world world;
    bool ended = false;
    loop_timer timer(world.loop, 20h);
    timer.async_wait([&](const loops::error_code&) { ended = true; });
    const auto report = world.drain(100000h);
    BOOST_TEST(report.complete);
    BOOST_TEST((report.elapsed < 1000h));
    BOOST_TEST(ended);
}

// The time does not jump to the limit of a drain that has nothing to wait for any more.
BOOST_AUTO_TEST_CASE(a_drain_is_not_overtaken)
{
    for (int round = 0; round != 20; ++round)
    {
        const auto policy = make();
        asio::io_context& loop = policy->get_event_loop();
        auto busy = std::make_optional(asio::make_work_guard(loop));
        std::thread runner([&] {
            policy->set_event_loop(&loop);
            policy->run();
        });
        test::latch runs;
        asio::post(loop, [&] { runs.count_down(); });
        BOOST_TEST(runs.wait());
        loop_timer timer(loop);
        policy->on_drain([&] {
            asio::post(loop, [&] {
                timer.expires_after(1h);
                timer.async_wait([&](const loops::error_code&) { busy.reset(); });
            });
        });
        const auto report = policy->drain(24h);
        runner.join();
        BOOST_TEST(report.complete);
        BOOST_TEST((report.elapsed <= 1h));
    }
}

// A pool's loops that hand work to each other are drained together.
BOOST_AUTO_TEST_CASE(a_drain_of_several_loops)
{
    for (int round = 0; round != 10; ++round)
    {
        const auto pool = std::make_shared<loops::pool_policy>(2);
        const auto policy = std::make_shared<loops::virtual_time_policy>(pool);
        policy->start();
        loop_timer timer(pool->loop(0));
        loop_timer second(pool->loop(1));
        bool ended = false;
        policy->on_drain([&] {
            asio::post(pool->loop(0), [&] {
                timer.expires_after(1h);
                timer.async_wait([&](const loops::error_code&) {
                    asio::post(pool->loop(1), [&] {
                        second.expires_after(1h);
                        second.async_wait([&](const loops::error_code&) { ended = true; });
                    });
                });
            });
        });
        const auto report = policy->drain(24h);
        BOOST_TEST(report.complete);
        BOOST_TEST((report.elapsed <= 2h));
        BOOST_TEST(ended);
    }
}

// One loop's deadline comes before another one's timer.
BOOST_AUTO_TEST_CASE(no_run_is_overtaken)
{
    const auto policy = make();
    const auto one = policy->new_event_loop();
    const auto other = policy->new_event_loop();
    const auto busy = asio::make_work_guard(*one);
    const auto begin = policy->now();
    policy->set_auto_advance(false);
    loop_timer timer(*other, 10h);
    loop_clock::time_point ended;
    timer.async_wait([](const loops::error_code&) {});
    test::latch runs;
    asio::post(*one, [&] { runs.count_down(); });
    // In a handler, so that the time stands when the run has ended.
    const auto outer = policy->new_event_loop();
    asio::post(*outer, [&] {
        one->run_for(1h);
        ended = policy->now();
    });
    std::thread first([&] { outer->run(); });
    BOOST_TEST(runs.wait());
    std::thread second([&] { other->run(); });
    policy->set_auto_advance(true);
    first.join();
    second.join();
    BOOST_TEST((ended == begin + 1h));
    BOOST_TEST((policy->now() == begin + 10h));
}

// A loop comes into virtual time while it runs.
BOOST_AUTO_TEST_CASE(a_loop_that_runs_is_set)
{
    const auto policy = make();
    loops::event_loop loop;
    loop_timer timer(loop);
    bool expired = false;
    asio::post(loop, [&] {
        policy->set_event_loop(&loop);
        timer.expires_after(24h);
        timer.async_wait([&](const loops::error_code&) { expired = true; });
    });
    loop.run();
    BOOST_TEST(expired);
}

BOOST_AUTO_TEST_CASE(forked)
{
    const auto policy =
        std::make_shared<loops::virtual_time_policy>(std::make_shared<loops::pool_policy>(2));
    policy->start(); // whose threads look at the time all the time
    for (int round = 0; round != 20; ++round)
    {
        const int code = test::in_forked_child([] {
            const auto own = make();
            const auto loop = own->new_event_loop();
            loop_timer timer(*loop, 1h);
            bool expired = false;
            timer.async_wait([&](const loops::error_code&) { expired = true; });
            loop->run();
            return expired ? 0 : 1;
        });
        BOOST_TEST(code == 0);
    }
    policy->close();
}

BOOST_AUTO_TEST_CASE(idle_keys_are_dropped)
{
    loops::keyed_options options;
    options.run_by = loops::run_by::policy;
    options.drop_idle_after = 1h;
    const auto keyed = std::make_shared<loops::keyed_policy<std::string>>(
        [] { return std::optional<std::string>(); }, options);
    loops::virtual_time_options by_hand;
    by_hand.auto_advance = false;
    const auto policy = std::make_shared<loops::virtual_time_policy>(keyed, by_hand);
    keyed->get_event_loop("tenant");
    BOOST_TEST(keyed->size() == 1U);
    policy->advance(59min);
    keyed->get_event_loop("other");
    policy->advance(2min);
    BOOST_TEST(test::eventually([&] { return keyed->size() == 1U; }));
    policy->advance(1h);
    BOOST_TEST(test::eventually([&] { return keyed->size() == 0U; }));
    policy->close();
}

// The clock is the real one before and after; and other loops see what is due meanwhile.
BOOST_AUTO_TEST_CASE(begins_and_ends)
{
    const auto is_real = [] {
        const auto before = steady_clock::now();
        const auto now = loop_clock::now();
        return before <= now && now <= steady_clock::now();
    };
    BOOST_TEST(is_real());
    {
        const auto policy = make();
        policy->advance(1h);
        BOOST_TEST(!is_real());
        const auto second = make();
        asio::io_context plain;
        loop_timer timer(plain, 1h);
        bool expired = false;
        timer.async_wait([&](const loops::error_code&) { expired = true; });
        plain.poll();
        BOOST_TEST(!expired);
        second->advance(1h);
        plain.run();
        BOOST_TEST(expired);
    }
    BOOST_TEST(is_real());
    loops::event_loop loop;
    BOOST_TEST(loop.run_for(1ms) == 0U);
    loop_timer timer(loop, 1ms);
    bool expired = false;
    timer.async_wait([&](const loops::error_code&) { expired = true; });
    loop.restart();
    loop.run();
    BOOST_TEST(expired);
}

BOOST_AUTO_TEST_CASE(bad_input)
{
    const auto invalid = make_error_code(boost::system::errc::invalid_argument);
    loops::virtual_time_options options;
    options.idle = -1s;
    test::check_error([&] { loops::virtual_time_policy{options}; }, invalid, "idle");
    test::check_error([] { loops::virtual_time_policy(nullptr, {}); }, invalid, "null");
    BOOST_TEST((loop_clock::now() - steady_clock::now() < 1ms));
    const auto policy = make();
    policy->close();
    test::check_error([&] { policy->get_executor(); }, loops::error::policy_closed);
}
