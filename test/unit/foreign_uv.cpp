// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE foreign_uv

#include <loops/event_loop.hpp>
#include <loops/foreign/uv.hpp>
#include <loops/foreign/uv_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/run.hpp>

#include "support/child_processes.hpp"
#include "support/echo_load.hpp"
#include "support/error_check.hpp"
#include "support/latch.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <time.h>
#include <uv.h>

using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::child_ledger;

// What libuv opens once stays open.
struct first_loop
{
    first_loop()
    {
        uv_loop_t loop;
        test::require(uv_loop_init(&loop) == 0 && uv_loop_close(&loop) == 0, "uv_loop_init");
    }
};
BOOST_TEST_GLOBAL_FIXTURE(first_loop);

namespace {

// A loop of libuv's, which has to have no handle left at its end.
class uv_world
{
public:
    uv_world() { test::require(uv_loop_init(&loop_) == 0, "uv_loop_init"); }
    uv_world(const uv_world&) = delete;
    uv_world& operator=(const uv_world&) = delete;
    ~uv_world() { BOOST_TEST(uv_loop_close(&loop_) == 0); }

    uv_loop_t* get() { return &loop_; }

private:
    uv_loop_t loop_;
};

// A handle of libuv's whose callbacks are functions of C++'s. It closes itself where they say so.
template <class Handle>
class handle
{
public:
    // Whether to go on.
    using function = std::function<bool()>;

    explicit handle(function body) : body_(std::move(body)) { native_.data = this; }

    Handle* get() { return &native_; }
    void close() { uv_close(reinterpret_cast<uv_handle_t*>(&native_), nullptr); }

    static void call(Handle* native)
    {
        auto& self = *static_cast<handle*>(native->data);
        if (!self.body_())
            self.close();
    }

private:
    Handle native_;
    function body_;
};

class timer : public handle<uv_timer_t>
{
public:
    timer(uv_loop_t* loop, function body) : handle(std::move(body)) { uv_timer_init(loop, get()); }
    void start(std::uint64_t ms, std::uint64_t repeat = 0)
    {
        uv_timer_start(get(), &handle::call, ms, repeat);
    }
};

std::chrono::nanoseconds cpu_time()
{
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// A program of libuv's: one end of a pipe writes numbers, the other one answers.
class pipe_program
{
public:
    pipe_program(uv_loop_t* loop, int rounds) : left_(rounds)
    {
        uv_file ends[2];
        test::require(uv_socketpair(SOCK_STREAM, 0, ends, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE) == 0,
            "uv_socketpair");
        for (int i = 0; i != 2; ++i)
        {
            uv_pipe_init(loop, &pipes_[i], 0);
            uv_pipe_open(&pipes_[i], ends[i]);
            pipes_[i].data = this;
        }
    }

    void start()
    {
        for (uv_pipe_t& each : pipes_)
            uv_read_start(reinterpret_cast<uv_stream_t*>(&each), &give_room, &on_read);
        send(pipes_[0]);
    }

    int left() const { return left_; }

private:
    static void give_room(uv_handle_t* of, std::size_t, uv_buf_t* room)
    {
        auto& self = *static_cast<pipe_program*>(of->data);
        *room = uv_buf_init(self.room_, sizeof self.room_);
    }

    static void on_read(uv_stream_t* from, ssize_t size, const uv_buf_t*)
    {
        auto& self = *static_cast<pipe_program*>(from->data);
        const bool over = size < 0 || (from == reinterpret_cast<uv_stream_t*>(&self.pipes_[0]) &&
                                          --self.left_ == 0);
        if (!over)
            return self.send(from == reinterpret_cast<uv_stream_t*>(&self.pipes_[0])
                                 ? self.pipes_[0]
                                 : self.pipes_[1]);
        for (uv_pipe_t& each : self.pipes_)
        {
            auto* const closing = reinterpret_cast<uv_handle_t*>(&each);
            if (uv_is_closing(closing) == 0)
                uv_close(closing, nullptr);
        }
    }

    void send(uv_pipe_t& by)
    {
        const uv_buf_t text = uv_buf_init(text_, sizeof text_);
        uv_write(&request_[&by == &pipes_[0] ? 0 : 1], reinterpret_cast<uv_stream_t*>(&by), &text,
            1, nullptr);
    }

    uv_pipe_t pipes_[2];
    uv_write_t request_[2];
    char text_[4] = {'t', 'e', 'x', 't'};
    char room_[64];
    int left_;
};

} // namespace

BOOST_AUTO_TEST_CASE(timers_of_both_on_one_thread)
{
    const child_ledger ledger;
    uv_world uv;
    loops::event_loop loop;
    const loops::uv_guest guest(loop, uv.get());
    BOOST_TEST(guest.native_loop() == uv.get());
    std::vector<std::string> order;
    asio::steady_timer second(loop);
    timer third(uv.get(), [&] {
        order.emplace_back("end");
        return false;
    });
    timer first(uv.get(), [&] {
        BOOST_TEST(&loops::get_event_loop() == &loop);
        order.emplace_back("uv");
        second.expires_after(2ms);
        second.async_wait([&](const loops::error_code&) {
            order.emplace_back("asio");
            third.start(2);
        });
        return false;
    });
    first.start(2);
    loop.run(); // until neither has work
    BOOST_TEST(
        order == (std::vector<std::string>{"uv", "asio", "end"}), boost::test_tools::per_element());
    BOOST_TEST(loop.stopped());
}

// Asio's handlers may use libuv: the loop does not sleep past what they set up, though libuv tells nobody.
BOOST_AUTO_TEST_CASE(handlers_use_libuv)
{
    uv_world uv;
    loops::event_loop loop;
    const loops::uv_guest guest(loop, uv.get());
    asio::steady_timer from(loop, 2ms);
    int calls = 0;
    pipe_program program(uv.get(), 5);
    timer later(uv.get(), [&] {
        ++calls;
        asio::post(loop, [&] { program.start(); });
        return false;
    });
    from.async_wait([&](const loops::error_code&) { later.start(3); });
    loop.run();
    BOOST_TEST(calls == 1);
    BOOST_TEST(program.left() == 0);
}

BOOST_AUTO_TEST_CASE(other_threads_wake_it)
{
    uv_world uv;
    loops::event_loop loop;
    const loops::uv_guest guest(loop, uv.get());
    std::atomic<int> calls{0};
    std::atomic<bool> over{false};
    handle<uv_async_t> wake([&] {
        ++calls;
        return !over;
    });
    uv_async_init(uv.get(), wake.get(), &handle<uv_async_t>::call);
    std::thread other([&] {
        for (int i = 0; i != 200; ++i)
        {
            const int before = calls;
            uv_async_send(wake.get());
            test::eventually([&] { return calls > before; });
        }
        over = true;
        uv_async_send(wake.get());
    });
    loop.run();
    other.join();
    BOOST_TEST(calls >= 200);
}

BOOST_AUTO_TEST_CASE(neither_starves)
{
    uv_world uv;
    loops::event_loop loop;
    const loops::uv_guest guest(loop, uv.get());
    std::uint64_t handlers = 0;
    std::uint64_t idles = 0;
    handle<uv_idle_t> idle([&] { return ++idles <= 200 || handlers <= 5000; });
    uv_idle_init(uv.get(), idle.get());
    uv_idle_start(idle.get(), &handle<uv_idle_t>::call);
    std::function<void()> handler = [&] {
        if (++handlers <= 5000 || idles <= 200)
            asio::post(loop, handler);
    };
    asio::post(loop, handler);
    loop.run();
    BOOST_TEST(handlers > 5000U);
    BOOST_TEST(idles > 200U);
}

BOOST_AUTO_TEST_CASE(idle_costs_nothing)
{
    uv_world uv;
    loops::event_loop loop;
    const loops::uv_guest guest(loop, uv.get());
    timer end(uv.get(), [] { return false; });
    end.start(150);
    const auto before = cpu_time();
    loop.run();
    BOOST_TEST((cpu_time() - before < 75ms));
}

// So it is with a loop of libuv's that has nothing to do, or nothing that is referenced.
BOOST_AUTO_TEST_CASE(a_loop_that_is_not_alive)
{
    uv_world uv;
    loops::event_loop loop;
    const loops::uv_guest guest(loop, uv.get());
    std::atomic<int> calls{0};
    handle<uv_async_t> wake([&] { return ++calls < 3; });
    uv_async_init(uv.get(), wake.get(), &handle<uv_async_t>::call);
    uv_unref(reinterpret_cast<uv_handle_t*>(wake.get()));
    asio::steady_timer end(loop, 150ms);
    end.async_wait([](const loops::error_code&) {});
    std::thread other([&] {
        for (int i = 0; i != 3; ++i)
        {
            uv_async_send(wake.get());
            test::eventually([&] { return calls > i; });
        }
    });
    const auto before = cpu_time();
    loop.run();
    const auto used = cpu_time() - before;
    other.join();
    BOOST_TEST((used < 75ms));
    BOOST_TEST(calls == 3);
    uv_run(uv.get(), UV_RUN_DEFAULT);
}

// A program of libuv's, beside a server of Asio's under load.
BOOST_AUTO_TEST_CASE(a_program_beside_a_server)
{
    const child_ledger ledger;
    uv_world uv;
    loops::event_loop loop;
    const loops::uv_guest guest(loop, uv.get());
    test::echo_load load(loop);
    pipe_program program(uv.get(), 1000);
    program.start();
    int ticks = 0;
    timer tick(uv.get(), [&] {
        const bool over = ++ticks > 20 && program.left() == 0 && load.exchanges() > 1000;
        if (over)
            load.stop();
        return !over;
    });
    tick.start(1, 1);
    loop.run();
    BOOST_TEST(program.left() == 0);
    BOOST_TEST(load.exchanges() > 1000U);
}

BOOST_AUTO_TEST_CASE(a_policy_of_them)
{
    const child_ledger ledger;
    const auto policy = std::make_shared<loops::uv_policy>(std::make_shared<loops::pool_policy>(2));
    BOOST_TEST(policy->name() == "uv/pool");
    std::set<uv_loop_t*> all;
    test::latch ran(2);
    std::vector<std::unique_ptr<timer>> timers;
    policy->for_each_loop([&](asio::io_context& loop) {
        uv_loop_t* const uv = policy->uv_loop_of(loop);
        all.insert(uv);
        timers.push_back(std::make_unique<timer>(uv, [&, own = &loop] {
            if (&loops::get_running_loop() == own)
                ran.count_down();
            return true; // closed with its loop
        }));
        asio::post(loop, [&, last = timers.back().get()] { last->start(1); });
    });
    BOOST_TEST(all.size() == 2U);
    BOOST_TEST(ran.wait());
    policy->close();
    asio::io_context loop;
    test::check_error([&] { loops::uv_guest(loop, nullptr); },
        make_error_code(boost::system::errc::invalid_argument), "null");
}
