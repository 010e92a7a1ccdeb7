// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// A pool that becomes larger and smaller while it runs.

#define BOOST_TEST_MODULE pool_resize
#include <loops/error.hpp>
#include <loops/event_loop.hpp>
#include <loops/lease.hpp>
#include <loops/policy/pool_policy.hpp>

#include "support/error_check.hpp"
#include "support/latch.hpp"
#include "support/race.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/errc.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using loops::error;
using loops::pool_options;
using loops::pool_policy;
using test::check_error;
using namespace std::chrono_literals;

namespace {

// Counts the pool's threads by their hooks.
struct counted
{
    std::atomic<int> alive{0};

    pool_options options(std::size_t threads)
    {
        pool_options made;
        made.threads = threads;
        made.on_thread_start = [this](std::size_t) { ++alive; };
        made.on_thread_stop = [this](std::size_t) { --alive; };
        return made;
    }
};

std::thread::id thread_of(asio::io_context& loop)
{
    test::latch done;
    std::thread::id id;
    asio::post(loop, [&] {
        id = std::this_thread::get_id();
        done.count_down();
    });
    BOOST_TEST(done.wait());
    return id;
}

// Until a loop that has left has been looked at so many times, and while another one runs a timer.
void pass_looks(asio::io_context& other, int looks)
{
    test::latch done;
    asio::steady_timer timer(other, looks * 1s + 300ms);
    timer.async_wait([&](loops::error_code) { done.count_down(); });
    BOOST_TEST(done.wait());
}

} // namespace

BOOST_AUTO_TEST_CASE(it_grows_while_it_runs)
{
    counted threads;
    pool_policy pool(threads.options(2));
    pool.start();
    asio::io_context* const first = &pool.loop(0);
    pool.resize(5);
    BOOST_TEST(pool.size() == 5u);
    BOOST_TEST(threads.alive == 5);
    BOOST_TEST(&pool.loop(0) == first);
    std::set<std::thread::id> seen;
    std::size_t visited = 0;
    pool.for_each_loop([&](asio::io_context& loop) {
        ++visited;
        seen.insert(thread_of(loop));
    });
    BOOST_TEST(visited == 5u);
    BOOST_TEST(seen.size() == 5u);
    std::set<asio::io_context*> chosen;
    for (int i = 0; i < 5; ++i)
        chosen.insert(&pool.select_event_loop());
    BOOST_TEST(chosen.size() == 5u);
    BOOST_TEST(static_cast<loops::event_loop&>(pool.loop(4)).name() == "pool-4");
    pool.drain(10s);
    BOOST_TEST(threads.alive == 0);
}

BOOST_AUTO_TEST_CASE(before_its_start_it_is_a_number)
{
    counted threads;
    pool_policy pool(threads.options(2));
    pool.resize(3);
    BOOST_TEST(pool.size() == 3u);
    BOOST_TEST(threads.alive == 0);
    pool.start();
    BOOST_TEST(threads.alive == 3);
}

BOOST_AUTO_TEST_CASE(a_loop_that_leaves_keeps_what_it_has)
{
    counted threads;
    pool_policy pool(threads.options(3));
    pool.start();
    asio::io_context& leaving = pool.loop(2);

    asio::ip::tcp::acceptor acceptor(leaving, {asio::ip::address_v4::loopback(), 0});
    asio::ip::tcp::socket client(pool.loop(0));
    asio::ip::tcp::socket server(leaving);
    client.connect(acceptor.local_endpoint());
    acceptor.accept(server);
    acceptor.close();
    char byte = 0;
    test::latch received;
    std::thread::id by;
    asio::async_read(server, asio::buffer(&byte, 1), [&](loops::error_code, std::size_t) {
        by = std::this_thread::get_id();
        received.count_down();
    });
    const std::thread::id before = thread_of(leaving);

    pool.resize(2);
    BOOST_TEST(pool.size() == 2u);
    for (int i = 0; i < 10; ++i)
        BOOST_TEST(&pool.select_event_loop() != &leaving);
    check_error([&] { pool.loop(2); }, make_error_code(boost::system::errc::invalid_argument),
        "loop 2 of a pool of 2");
    pass_looks(pool.loop(0), 1); // it has the read
    BOOST_TEST(threads.alive == 3);
    asio::write(client, asio::buffer("x", 1));
    BOOST_TEST(received.wait());
    BOOST_TEST(byte == 'x');
    BOOST_TEST((by == before));
    BOOST_TEST(test::eventually([&] { return threads.alive == 2; }));
}

BOOST_AUTO_TEST_CASE(a_lease_keeps_a_loop_that_has_left)
{
    counted threads;
    pool_policy pool(threads.options(1));
    pool.start();
    pool.resize(2);
    loops::lease lease = pool.acquire();
    while (&lease.get_event_loop() != &pool.loop(1))
        lease = pool.acquire();
    asio::io_context& leaving = pool.loop(1);
    pool.resize(1);
    pass_looks(pool.loop(0), 2);
    BOOST_TEST(threads.alive == 2);
    thread_of(leaving); // it is run
    lease.release();
    BOOST_TEST(test::eventually([&] { return threads.alive == 1; }));
}

BOOST_AUTO_TEST_CASE(a_loop_that_left_comes_back)
{
    counted threads;
    pool_policy pool(threads.options(2));
    pool.start();
    asio::io_context* const second = &pool.loop(1);
    pool.resize(1);
    pool.resize(2); // before it went
    BOOST_TEST(threads.alive == 2);
    BOOST_TEST(&pool.loop(1) == second);

    pool.resize(1);
    BOOST_TEST(test::eventually([&] { return threads.alive == 1; }));
    std::atomic<bool> ran{false};
    asio::post(*second, [&] { ran = true; }); // too late, and kept
    pool.resize(3);
    BOOST_TEST(threads.alive == 3);
    BOOST_TEST(&pool.loop(1) == second);
    BOOST_TEST(test::eventually([&] { return ran.load(); }));

    pass_looks(pool.loop(0), 1); // which were under way
    BOOST_TEST(threads.alive == 3);
}

BOOST_AUTO_TEST_CASE(of_keys_those_of_the_loops_that_come_and_go_move)
{
    pool_policy pool(4, loops::by_key);
    constexpr std::uint64_t keys = 10000;
    const auto places = [&] {
        std::vector<asio::io_context*> all;
        for (std::uint64_t key = 0; key < keys; ++key)
            all.push_back(&pool.select_event_loop({key, {}}));
        return all;
    };
    const auto before = places();
    pool.resize(5);
    const auto grown = places();
    std::size_t moved = 0;
    for (std::size_t i = 0; i < keys; ++i)
    {
        if (before[i] == grown[i])
            continue;
        ++moved;
        BOOST_REQUIRE(grown[i] == &pool.loop(4));
    }
    BOOST_TEST(moved > keys / 5 * 9 / 10);
    BOOST_TEST(moved < keys / 5 * 11 / 10);
    pool.resize(4);
    BOOST_TEST((places() == before));
}

BOOST_AUTO_TEST_CASE(what_is_refused_changes_nothing)
{
    counted threads;
    auto options = threads.options(2);
    std::atomic<bool> refuse{false};
    options.on_thread_start = [&](std::size_t index) {
        if (refuse && index == 3)
            throw std::runtime_error("no fourth");
        ++threads.alive;
    };
    pool_policy pool(options);
    pool.start();
    check_error([&] { pool.resize(0); }, make_error_code(boost::system::errc::invalid_argument),
        "1 or more");
    refuse = true;
    BOOST_CHECK_THROW(pool.resize(5), std::runtime_error);
    BOOST_TEST(pool.size() == 2u);
    BOOST_TEST(threads.alive == 2);
    std::size_t visited = 0;
    pool.for_each_loop([&](asio::io_context&) { ++visited; });
    BOOST_TEST(visited == 2u);
    refuse = false;
    pool.resize(4);
    BOOST_TEST(threads.alive == 4);
    thread_of(pool.loop(2));
    thread_of(pool.loop(3));
    pool.close();
    check_error([&] { pool.resize(2); }, error::policy_closed, "resizing");
}

BOOST_AUTO_TEST_CASE(its_own_threads_resize_it)
{
    counted threads;
    pool_policy pool(threads.options(2));
    pool.start();
    test::latch done;
    asio::post(pool.loop(1), [&] {
        pool.resize(4);
        pool.resize(1); // the calling thread's loop leaves
        pool.resize(3);
        done.count_down();
    });
    BOOST_TEST(done.wait());
    BOOST_TEST(pool.size() == 3u);
    BOOST_TEST(test::eventually([&] { return threads.alive == 3; }));
    for (std::size_t i = 0; i < 3; ++i)
        thread_of(pool.loop(i));
}

BOOST_AUTO_TEST_CASE(a_stop_and_a_start_find_what_has_not_gone)
{
    counted threads;
    pool_policy pool(threads.options(2));
    pool.start();
    std::atomic<bool> ran{false};
    asio::steady_timer timer(pool.loop(1), 100ms);
    pool.stop();
    pool.join();
    timer.async_wait([&](loops::error_code) { ran = true; });
    pool.resize(1); // while it is stopped
    BOOST_TEST(threads.alive == 0);
    pool.start();
    BOOST_TEST(threads.alive == 2); // the second has the timer yet
    BOOST_TEST(test::eventually([&] { return ran && threads.alive == 1; }));
    pool.stop();
    pool.join();
    pool.start();
    BOOST_TEST(threads.alive == 1);
    pool.stop();
    pool.join();
    pool.resize(2);
    pool.start();
    BOOST_TEST(threads.alive == 2);
    thread_of(pool.loop(1));
}

BOOST_AUTO_TEST_CASE(nothing_is_lost_while_it_changes)
{
    counted threads;
    pool_policy pool(threads.options(2));
    pool.start();
    std::atomic<std::size_t> posted{0};
    std::atomic<std::size_t> ran{0};
    std::atomic<bool> over{false};
    std::vector<std::thread> others;
    for (int i = 0; i < 2; ++i)
        others.emplace_back([&] {
            while (!over)
            {
                asio::post(pool.select_event_loop(), [&] { ++ran; });
                ++posted;
                if (posted - ran > 1000)
                    std::this_thread::yield();
            }
        });
    for (std::size_t i = 0; i < test::race_rounds(50); ++i)
        pool.resize(1 + i * 7 % 5);
    over = true;
    for (std::thread& each : others)
        each.join();
    BOOST_TEST(test::eventually([&] { return ran == posted; }));
    pool.resize(1);
    BOOST_TEST(test::eventually([&] { return threads.alive == 1; }));
    BOOST_TEST(pool.drain(10s).complete);
}
