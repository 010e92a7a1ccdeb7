// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE loop_guest

#include <loops/backend.hpp>
#include <loops/event_loop.hpp>
#include <loops/loop_guest.hpp>
#include <loops/policy/virtual_time_policy.hpp>
#include <loops/run.hpp>

#include "support/error_check.hpp"
#include "support/latch.hpp"
#include "support/quiet_guest.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

// Runs functions that were given to it: from other threads, and after a time.
class tasks final : public loops::loop_guest
{
public:
    ~tasks() override { ::close(event_); }

    void give(std::function<void()> task)
    {
        const std::lock_guard lock(mutex_);
        ready_.push_back(std::move(task));
        const std::uint64_t one = 1;
        if (::write(event_, &one, sizeof one) != sizeof one)
            std::abort();
    }

    // Of the loop's thread only, and nothing wakes that: as a timer that is set in a handler.
    void give_later(std::chrono::steady_clock::time_point at, std::function<void()> task)
    {
        at_ = at;
        later_ = std::move(task);
    }

    bool run_ready() override
    {
        ++rounds;
        std::uint64_t taken = 0;
        if (::read(event_, &taken, sizeof taken) < 0)
            taken = 0;
        std::vector<std::function<void()>> now;
        {
            const std::lock_guard lock(mutex_);
            now.swap(ready_);
        }
        if (later_ && std::chrono::steady_clock::now() >= at_)
            now.push_back(std::exchange(later_, nullptr));
        for (const auto& each : now)
            each();
        return !now.empty();
    }

    std::optional<std::chrono::milliseconds> prepare() override
    {
        ++sleeps;
        if (!later_)
            return std::nullopt;
        const auto left = at_ - std::chrono::steady_clock::now();
        return std::max(std::chrono::ceil<std::chrono::milliseconds>(left), 0ms);
    }

    int native_handle() const override { return event_; }
    bool has_work() const override { return works; }

    std::atomic<bool> works{false};
    std::atomic<int> rounds{0};
    std::atomic<int> sleeps{0};

private:
    const int event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::mutex mutex_;
    std::vector<std::function<void()>> ready_;
    std::chrono::steady_clock::time_point at_;
    std::function<void()> later_;
};

// A thread that runs the loop, and is in it, for the sake of the guest.
std::thread running(loops::event_loop& loop, tasks& guest)
{
    guest.works = true;
    const auto runs = std::make_shared<test::latch>();
    guest.give([runs] { runs->count_down(); });
    std::thread runner([&loop] { loop.run(); });
    BOOST_TEST(runs->wait());
    return runner;
}

std::chrono::nanoseconds cpu_time()
{
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// With io_uring Asio counts some of what it does itself.
void check_count(std::size_t told, std::size_t handlers)
{
    if (loops::backend() == loops::backend_type::io_uring)
        BOOST_TEST(told >= handlers);
    else
        BOOST_TEST(told == handlers);
}

} // namespace

BOOST_AUTO_TEST_CASE(both_have_their_turns)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    guest->works = true;
    int handlers = 0;
    int tasks_run = 0;
    std::function<void()> handler = [&] {
        if (++handlers < 1000)
            asio::post(loop, handler);
    };
    std::function<void()> task = [&] {
        if (++tasks_run < 100)
            guest->give(task);
        else
            guest->works = false;
    };
    asio::post(loop, handler);
    guest->give(task);
    loop.run();
    BOOST_TEST(handlers == 1000);
    BOOST_TEST(tasks_run == 100);
}

BOOST_AUTO_TEST_CASE(neither_starves)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    bool over = false;
    std::uint64_t handlers = 0;
    std::uint64_t tasks_run = 0;
    // Each is always busy, until both have done so much.
    std::function<void()> handler = [&] {
        ++handlers;
        over = handlers >= 5000 && tasks_run >= 300;
        if (!over)
            asio::post(loop, handler);
    };
    std::function<void()> task = [&] {
        ++tasks_run;
        if (!over)
            guest->give(task);
    };
    asio::post(loop, handler);
    guest->give(task);
    loop.run();
    BOOST_TEST(over);
}

BOOST_AUTO_TEST_CASE(is_woken)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    guest->works = true;
    std::thread other([&] {
        // While the loop sleeps, most times.
        for (int i = 0; i != 200; ++i)
        {
            test::latch ran;
            guest->give([&] { ran.count_down(); });
            BOOST_TEST(ran.wait());
            test::latch posted;
            asio::post(loop, [&] { posted.count_down(); });
            BOOST_TEST(posted.wait());
        }
        guest->give([&] { guest->works = false; });
    });
    loops::add_guest(loop, guest);
    loop.run();
    other.join();
}

// What a handler does with the guest is seen before the thread sleeps, though nothing tells of it.
BOOST_AUTO_TEST_CASE(a_handler_uses_the_guest)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    guest->works = true;
    asio::steady_timer timer(loop, 1ms);
    timer.async_wait([&](const loops::error_code&) {
        guest->give_later(std::chrono::steady_clock::now() + 5ms, [&] { guest->works = false; });
    });
    loop.run();
    BOOST_TEST(!guest->works);
}

BOOST_AUTO_TEST_CASE(idle_costs_nothing)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    asio::steady_timer timer(loop, 100ms);
    timer.async_wait([](const loops::error_code&) {});
    const auto before = cpu_time();
    loop.run();
    const int rounds = guest->rounds;
    BOOST_TEST(rounds < 10);
    BOOST_TEST((cpu_time() - before < 50ms));
}

// A guest without work does not keep the run, nor do its descriptors.
BOOST_AUTO_TEST_CASE(want_of_work_ends_the_run)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    asio::post(loop, [] {});
    BOOST_TEST(loop.run() == 1U);
    BOOST_TEST(loop.stopped());
    loop.restart();
    BOOST_TEST(loop.run_for(1ms) == 0U);
    loop.restart();
    bool ran = false;
    guest->give([&] { ran = true; });
    loop.poll();
    BOOST_TEST(ran);
}

// The loop sleeps by descriptors of its guests, which are no work of its own.
BOOST_AUTO_TEST_CASE(another_thread_lets_go_of_the_last_work)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    for (int round = 0; round != 20; ++round)
    {
        auto work = asio::make_work_guard(loop);
        const int before = guest->sleeps;
        std::thread runner([&] { loop.run_for(test::patience); });
        BOOST_TEST(test::eventually([&] { return guest->sleeps != before; }));
        work.reset();
        runner.join();
        BOOST_REQUIRE(loop.stopped()); // not for want of time
        loop.restart();
        asio::post(loop, [] {});
        check_count(loop.run(), 1);
        loop.restart();
    }
}

// What a handler gives to a guest goes on when the loop's own work has ended, but not beyond a stop().
BOOST_AUTO_TEST_CASE(the_last_handler_stops_the_loop)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    asio::steady_timer timer(loop, 2ms);
    bool ran = false;
    const auto give = [&] {
        guest->works = true;
        guest->give([&] {
            ran = true;
            guest->works = false;
        });
    };
    timer.async_wait([&](const loops::error_code&) {
        give();
        loop.stop();
    });
    check_count(loop.run(), 1);
    BOOST_TEST(loop.stopped());
    BOOST_TEST(!ran);
    loop.restart();
    loop.run();
    BOOST_TEST(ran);

    loop.restart();
    ran = false;
    timer.expires_after(2ms);
    timer.async_wait([&](const loops::error_code&) { give(); });
    loop.run();
    BOOST_TEST(ran);
}

BOOST_AUTO_TEST_CASE(runs_of_each_kind)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    guest->works = true;
    int ran = 0;
    asio::post(loop, [&] { ++ran; });
    asio::post(loop, [&] { ++ran; });
    while (ran == 0)
        BOOST_TEST(loop.run_one() <= 1U);
    BOOST_TEST(ran == 1);
    BOOST_TEST(loop.poll_one() <= 1U);
    while (ran < 2)
        loop.run_one_for(1s);
    check_count(loop.run_for(1ms), 0);
    check_count(loop.run_one_for(1ms), 0);
    int tasks_run = 0;
    guest->give([&] { ++tasks_run; });
    while (tasks_run == 0)
        loop.run_for(1ms);
    BOOST_TEST(tasks_run == 1);
    guest->works = false;
}

// Runs that end before do not end those that follow, while the guest has work.
BOOST_AUTO_TEST_CASE(runs_follow_each_other)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    guest->works = true;
    loop.poll();
    BOOST_TEST(!loop.stopped());
    bool ran = false;
    guest->give_later(std::chrono::steady_clock::now() + 2ms, [&] {
        ran = true;
        guest->works = false;
    });
    loop.run();
    BOOST_TEST(ran);
    BOOST_TEST(loop.stopped());
}

// A handler removes it; so it may be gone.
BOOST_AUTO_TEST_CASE(is_not_called_once_it_is_removed)
{
    loops::event_loop loop;
    const auto first = std::make_shared<tasks>();
    const auto second = std::make_shared<tasks>();
    loops::add_guest(loop, first);
    loops::add_guest(loop, second);
    second->works = true;
    int handlers = 0;
    int rounds = -1;
    std::function<void()> handler = [&] {
        if (++handlers == 16) // after which guests have their turn
        {
            loops::remove_guest(loop, *first);
            rounds = first->rounds;
        }
        if (handlers < 100)
            asio::post(loop, handler);
        else
            second->give([&] { loops::remove_guest(loop, *second); });
    };
    asio::post(loop, handler);
    loop.run();
    BOOST_TEST(first->rounds == rounds);
}

BOOST_AUTO_TEST_CASE(another_thread_removes_it)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    std::thread runner = running(loop, *guest);
    loops::remove_guest(loop, *guest);
    runner.join(); // it has no work any more
}

BOOST_AUTO_TEST_CASE(a_refused_run_is_no_handlers_exception)
{
    loops::event_loop loop;
    int exceptions = 0;
    loop.set_exception_handler([&](const std::exception_ptr&) { ++exceptions; });
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    std::thread runner = running(loop, *guest);
    test::check_error([&] { loop.run(); }, loops::error::already_running, "guests");
    BOOST_TEST(exceptions == 0);
    guest->give([&] { guest->works = false; });
    runner.join();
}

BOOST_AUTO_TEST_CASE(not_in_virtual_time)
{
    const auto policy = std::make_shared<loops::virtual_time_policy>();
    const auto loop = policy->new_event_loop();
    loops::add_guest(*loop, std::make_shared<tasks>());
    test::check_error([&] { loop->run(); },
        make_error_code(boost::system::errc::operation_not_supported), "virtual time");
}

BOOST_AUTO_TEST_CASE(comes_and_goes_during_a_run)
{
    loops::event_loop loop;
    auto busy = std::make_optional(asio::make_work_guard(loop));
    std::thread runner([&] { loop.run(); });
    for (int i = 0; i != 20; ++i)
    {
        const auto guest = std::make_shared<tasks>();
        test::latch ran;
        guest->give([&] { ran.count_down(); });
        loops::add_guest(loop, guest);
        BOOST_TEST(ran.wait());
        loops::remove_guest(loop, *guest);
        loops::remove_guest(loop, *guest);
        test::latch after;
        asio::post(loop, [&] { after.count_down(); });
        BOOST_TEST(after.wait());
    }
    busy.reset();
    runner.join();
}

BOOST_AUTO_TEST_CASE(goes_with_its_loop)
{
    auto guest = std::make_shared<tasks>();
    const std::weak_ptr<tasks> alive = guest;
    {
        loops::event_loop loop;
        loops::add_guest(loop, std::move(guest));
        loop.poll();
        BOOST_TEST(!alive.expired());
    }
    BOOST_TEST(alive.expired());
}

BOOST_AUTO_TEST_CASE(is_run_by_one_thread)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    std::thread runner = running(loop, *guest);
    test::check_error([&] { loop.run(); }, loops::error::already_running, "guests");
    guest->give([&] { guest->works = false; });
    runner.join();
    loop.restart();
    loop.run(); // and by another one after that
}

BOOST_AUTO_TEST_CASE(bad_input)
{
    loops::event_loop loop;
    test::check_error([&] { loops::add_guest(loop, nullptr); },
        make_error_code(boost::system::errc::invalid_argument), "null");
    loop.close();
    test::check_error(
        [&] { loops::add_guest(loop, std::make_shared<tasks>()); }, loops::error::loop_closed);
}

BOOST_AUTO_TEST_CASE(guests_have_turns_where_handlers_run_one_by_one)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    bool flag = false;
    guest->give([&] { flag = true; });
    int handlers = 0;
    std::function<void()> next = [&] {
        if (!flag && ++handlers < 100000)
            asio::post(loop, next);
    };
    asio::post(loop, next);
    while (loop.run_one() > 0)
        loop.restart();
    BOOST_TEST(flag);
    BOOST_TEST(handlers < 100);
}

BOOST_AUTO_TEST_CASE(a_poll_does_not_wait_beside_a_run_of_asios)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    const auto work = asio::make_work_guard(loop);
    std::thread other([&] { static_cast<asio::io_context&>(loop).run(); });
    const auto end = std::chrono::steady_clock::now() + 200ms;
    while (std::chrono::steady_clock::now() < end)
        loop.poll();
    static_cast<asio::io_context&>(loop).stop();
    other.join();
}

BOOST_AUTO_TEST_CASE(the_last_handler_gives_a_guest_work_and_throws)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    loops::add_guest(loop, guest);
    loop.set_exception_handler([](const std::exception_ptr&) {});
    bool ran = false;
    asio::steady_timer timer(loop, 20ms); // past which the thread sleeps
    timer.async_wait([&](loops::error_code) {
        guest->works = true;
        guest->give_later(std::chrono::steady_clock::now() + 20ms, [&] {
            ran = true;
            guest->works = false;
        });
        throw std::runtime_error("the last one");
    });
    loop.run();
    BOOST_TEST(ran);
}

BOOST_AUTO_TEST_CASE(a_guest_has_no_turn_after_a_stop)
{
    loops::event_loop loop;
    const auto guest = std::make_shared<tasks>();
    guest->works = true;
    loops::add_guest(loop, guest);
    loop.stop();
    loop.run();
    BOOST_TEST(guest->rounds == 0);
    loop.restart();
    asio::post(loop, [&] { loop.stop(); });
    loop.run();
    BOOST_TEST(guest->rounds == 0);
}
