// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE parking
#include <loops/backend.hpp>
#include <loops/event_loop.hpp>
#include <loops/parking.hpp>
#include <loops/run.hpp>

#include "contract/policy_suite.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"
#include "support/skipped.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

namespace asio = boost::asio;
using loops::event_loop;

namespace {

// Forks with everything parked and told.
template <class Check>
int in_told_child(Check check)
{
    using context = asio::execution_context;
    std::optional<loops::parking> parked(std::in_place);
    loops::notify_fork(context::fork_prepare);
    const int code = test::in_forked_child([&] {
        ::alarm(60);
        loops::notify_fork(context::fork_child);
        parked.reset();
        return check();
    });
    loops::notify_fork(context::fork_parent);
    return code;
}

// A loop that is never out of work, run by threads.
class busy_loop
{
public:
    explicit busy_loop(std::size_t threads, asio::io_context& loop) : loop_(loop)
    {
        asio::post(loop_, [this] { turn(); });
        for (std::size_t i = 0; i < threads; ++i)
            threads_.emplace_back([this] { loops::run_loop(loop_); });
        BOOST_REQUIRE(moves());
    }
    busy_loop(const busy_loop&) = delete;
    busy_loop& operator=(const busy_loop&) = delete;
    ~busy_loop()
    {
        end_ = true;
        for (std::thread& each : threads_)
            each.join();
    }

    long turns() const { return turns_; }
    bool moves() const
    {
        return test::eventually([this, before = turns()] { return turns() > before + 10; });
    }

private:
    void turn()
    {
        ++turns_;
        if (!end_)
            asio::post(loop_, [this] { turn(); });
    }

    asio::io_context& loop_;
    std::atomic<long> turns_{0};
    std::atomic<bool> end_{false};
    std::vector<std::thread> threads_;
};

bool no_forks_of_loops(const std::string& name)
{
    if (loops::backend() != loops::backend_type::io_uring)
        return false;
    test::skipped("parking/" + name, "Asio's io_uring backend loses operations in a forked child");
    return true;
}

} // namespace

BOOST_AUTO_TEST_CASE(nothing_runs_meanwhile)
{
    event_loop first;
    event_loop second(1);
    asio::io_context adopted;
    loops::set_event_loop(adopted);
    const busy_loop one(3, first);
    const busy_loop two(1, second);
    const busy_loop three(2, adopted);
    for (int round = 0; round < 20; ++round)
    {
        {
            const loops::parking parked;
            const long before = one.turns() + two.turns() + three.turns();
            std::this_thread::sleep_for(std::chrono::milliseconds(1)); // a chance to be wrong
            BOOST_TEST(one.turns() + two.turns() + three.turns() == before);
        }
        BOOST_TEST(one.moves());
        BOOST_TEST(two.moves());
        BOOST_TEST(three.moves());
    }
    loops::set_event_loop(nullptr);
}

BOOST_AUTO_TEST_CASE(a_run_that_begins_meanwhile_waits)
{
    event_loop loop;
    std::atomic<bool> ran{false};
    std::atomic<bool> begun{false};
    asio::post(loop, [&] { ran = true; });
    std::thread runner;
    {
        const loops::parking parked;
        runner = std::thread([&] {
            begun = true;
            loop.run();
        });
        BOOST_TEST(test::eventually([&] { return begun.load(); }));
        BOOST_TEST(!ran);
    }
    runner.join();
    BOOST_TEST(ran);
}

BOOST_AUTO_TEST_CASE(by_a_handler_and_amid_nested_runs)
{
    event_loop outer;
    event_loop inner;
    event_loop own;
    bool parked = false;
    auto keep = asio::make_work_guard(inner);
    test::latch nested;
    asio::post(outer, [&] {
        asio::post(inner, [&] { nested.count_down(); });
        inner.run();
    });
    std::thread runner([&] { outer.run(); });
    BOOST_TEST(nested.wait());
    asio::post(own, [&] {
        const loops::parking all;
        parked = true;
    });
    own.run();
    BOOST_TEST(parked);
    keep.reset();
    runner.join();
}

BOOST_AUTO_TEST_CASE(two_at_a_time_take_turns)
{
    event_loop loop;
    const busy_loop busy(2, loop);
    std::atomic<int> inside{0};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] {
            for (int round = 0; round < 20; ++round)
            {
                const loops::parking parked;
                wrong += ++inside == 1 ? 0 : 1;
                --inside;
            }
        });
    for (std::thread& each : threads)
        each.join();
    BOOST_TEST(wrong == 0);
    BOOST_TEST(busy.moves());
}

LOOPS_POLICY_CASE(loops_run_again_in_the_child)
{
    if (no_forks_of_loops("loops_run_again_in_the_child/" + kind.name))
        return;
    const auto policy = kind.make();
    policy->start();
    asio::io_context& selected = policy->select_event_loop();
    test::latch running;
    if (!kind.run_by_caller) // whose loop is run by nobody now
    {
        asio::post(selected, [&] { running.count_down(); });
        BOOST_REQUIRE(running.wait());
    }

    event_loop loop;
    std::atomic<bool> fired{false};
    asio::steady_timer timer(loop, std::chrono::hours(1));
    timer.async_wait([&](const loops::error_code&) { fired = true; });
    std::thread runner([&] { loop.run(); });
    BOOST_TEST(test::eventually([&] { return loop.is_running(); }));

    const int code = in_told_child([&] {
        if (loop.is_running())
            return 1;
        timer.expires_after(std::chrono::milliseconds(1)); // cancels, and so fires
        loop.run(); // returns for want of work: nothing of the parent's thread is left to wait for
        if (!fired)
            return 2;
        // A loop that the parent's policy runs is anybody's here; it still has the policy's work.
        bool ran = false;
        asio::post(selected, [&] { ran = true; });
        loops::poll_loop(selected);
        return ran ? 0 : 3;
    });
    BOOST_TEST(code == 0);
    BOOST_TEST(!fired);
    timer.cancel();
    runner.join();
    BOOST_TEST(fired);
}
