// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What keyed_policy drops for idleness, and what it keeps.

#define BOOST_TEST_MODULE keyed_idle
#include <loops/error.hpp>
#include <loops/loop_local.hpp>
#include <loops/parking.hpp>
#include <loops/policy/keyed_policy.hpp>
#include <loops/run.hpp>
#include <loops/spawn.hpp>

#include "support/error_check.hpp"
#include "support/latch.hpp"
#include "support/tasks.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using loops::error;
using loops::key_scope;
using loops::run_by;
using namespace std::chrono_literals;

namespace {

using shards = loops::keyed_policy<std::uint64_t>;

constexpr run_by everybody[] = {run_by::caller, run_by::policy};

std::shared_ptr<shards> make_shards(run_by who, std::chrono::nanoseconds idle = 1ms)
{
    loops::keyed_options options;
    options.run_by = who;
    options.drop_idle_after = idle;
    return std::make_shared<shards>(options);
}

loops::selection with_key(std::uint64_t key)
{
    loops::selection what;
    what.key = key;
    return what;
}

bool becomes_empty(shards& policy)
{
    return test::eventually([&] { return policy.size() == 0; });
}

// Several loops have come and gone for idleness since this began, so that another one that is still
// there was judged meanwhile, and kept.
bool outlives_others(shards& policy, std::size_t kept = 1)
{
    for (std::uint64_t other = 1000; other < 1005; ++other)
    {
        policy.get_event_loop(other);
        if (!test::eventually([&] { return policy.size() == kept; }))
            return false;
    }
    return true;
}

} // namespace

BOOST_AUTO_TEST_CASE(an_idle_loop_is_closed_and_its_key_forgotten)
{
    struct farewell
    {
        std::shared_ptr<test::latch> gone;
        ~farewell()
        {
            if (gone)
                gone->count_down();
        }
    };
    for (const run_by who : everybody)
    {
        const auto policy = make_shards(who);
        const loops::loop_local<farewell> local;
        auto gone = std::make_shared<test::latch>();
        {
            const loops::lease lease = policy->acquire(with_key(1));
            local.get(lease.get_event_loop()).gone = gone;
        }
        BOOST_TEST(gone->wait());
        BOOST_TEST(becomes_empty(*policy));
        BOOST_TEST(!policy->drop(1));
        // A fresh one, of the same name.
        const loops::lease again = policy->acquire(with_key(1));
        BOOST_TEST(static_cast<loops::event_loop&>(again.get_event_loop()).name() == "keyed-1");
    }
}

BOOST_AUTO_TEST_CASE(a_lease_keeps_it)
{
    for (const run_by who : everybody)
    {
        const auto policy = make_shards(who);
        loops::lease lease = policy->acquire(with_key(1), 0);
        asio::io_context* const loop = &lease.get_event_loop();
        BOOST_TEST(outlives_others(*policy));
        BOOST_TEST(&policy->get_event_loop(1) == loop);
        loops::lease moved = std::move(lease);
        BOOST_TEST(outlives_others(*policy));
        moved.release();
        BOOST_TEST(becomes_empty(*policy));
    }
}

BOOST_AUTO_TEST_CASE(a_scope_keeps_it)
{
    for (const run_by who : everybody)
    {
        const auto policy = make_shards(who);
        const auto other = make_shards(who);
        {
            const key_scope<std::uint64_t> scope(1);
            asio::io_context& loop = policy->get_event_loop();
            asio::io_context& of_other = other->get_event_loop();
            BOOST_TEST(outlives_others(*policy));
            BOOST_TEST(outlives_others(*other));
            BOOST_TEST(&policy->get_event_loop() == &loop);
            BOOST_TEST(&other->get_event_loop() == &of_other);
        }
        BOOST_TEST(becomes_empty(*policy));
        BOOST_TEST(becomes_empty(*other));
    }
}

BOOST_AUTO_TEST_CASE(work_keeps_it)
{
    for (const run_by who : everybody)
    {
        const auto policy = make_shards(who);
        std::optional<asio::steady_timer> timer;
        std::atomic<bool> cancelled{false};
        {
            const loops::lease lease = policy->acquire(with_key(1));
            timer.emplace(lease.get_event_loop(), 1h);
            timer->async_wait([&](const loops::error_code&) { cancelled = true; });
        }
        BOOST_TEST(outlives_others(*policy));
        {
            const loops::lease lease = policy->acquire(with_key(1));
            test::latch done;
            asio::post(lease.get_event_loop(), [&] {
                timer.reset();
                done.count_down();
            });
            if (who == run_by::caller)
                loops::run_loop(lease.get_event_loop());
            BOOST_TEST(done.wait());
        }
        BOOST_TEST(test::eventually([&] { return cancelled.load(); }));
        BOOST_TEST(becomes_empty(*policy));
    }
}

BOOST_AUTO_TEST_CASE(a_task_keeps_it)
{
    const auto policy = make_shards(run_by::policy);
    std::function<void()> end;
    test::latch started;
    {
        const loops::lease lease = policy->acquire(with_key(1));
        loops::spawn(
            lease.get_executor(),
            [&](auto done) {
                auto kept = std::make_shared<decltype(done)>(std::move(done));
                end = [kept] { (*kept)(); };
                started.count_down();
            },
            asio::detached);
    }
    BOOST_TEST(started.wait());
    BOOST_TEST(outlives_others(*policy));
    end();
    end = nullptr;
    BOOST_TEST(becomes_empty(*policy));
}

BOOST_AUTO_TEST_CASE(a_callers_run_keeps_it)
{
    for (const run_by who : everybody)
    {
        const auto policy = make_shards(who);
        loops::lease lease = policy->acquire(with_key(1));
        auto& loop = static_cast<loops::event_loop&>(lease.get_event_loop());
        test::latch inside;
        std::atomic<std::thread::id> callers;
        // Until the caller's thread takes it, not the policy's.
        std::function<void()> arrive = [&] {
            if (std::this_thread::get_id() == callers.load())
                inside.count_down();
            else
                asio::post(loop, arrive);
        };
        std::thread runner([&] {
            callers = std::this_thread::get_id();
            asio::post(loop, arrive);
            if (who == run_by::caller)
                loop.run_forever();
            else
                loop.run();
        });
        BOOST_TEST(inside.wait());
        lease.release();
        BOOST_TEST(outlives_others(*policy));
        loop.stop();
        runner.join();
        BOOST_TEST(becomes_empty(*policy));
    }
}

BOOST_AUTO_TEST_CASE(a_stopped_policys_loops_are_dropped)
{
    const auto policy = make_shards(run_by::policy);
    {
        const loops::lease lease = policy->acquire(with_key(1));
        policy->stop();
        policy->join();
        BOOST_TEST(policy->size() == 1U);
    }
    BOOST_TEST(becomes_empty(*policy));
    policy->start();
    test::latch ran;
    asio::post(policy->acquire(with_key(1)).get_executor(), [&] { ran.count_down(); });
    BOOST_TEST(ran.wait());
}

BOOST_AUTO_TEST_CASE(a_loop_of_somebody_elses_stays)
{
    const auto policy = make_shards(run_by::caller);
    asio::io_context own;
    {
        const key_scope<std::uint64_t> scope(1);
        policy->set_event_loop(&own);
    }
    BOOST_TEST(outlives_others(*policy));
    BOOST_TEST(&policy->get_event_loop(1) == &own);
}

BOOST_AUTO_TEST_CASE(a_stop_that_waits_is_not_undone)
{
    const auto policy = make_shards(run_by::caller);
    asio::io_context* loop = nullptr;
    {
        const loops::lease lease = policy->acquire(with_key(1));
        loop = &lease.get_event_loop();
        asio::post(*loop, [] {});
        loop->stop();
    }
    BOOST_TEST(outlives_others(*policy));
    BOOST_TEST(loop->stopped());
    loop->restart();
    BOOST_TEST(loops::poll_loop(*loop) == 1U); // which is seen, and so keeps it to its end
    BOOST_TEST(becomes_empty(*policy));
}

// Under ThreadSanitizer, and with a time so short that loops go all the time.
BOOST_AUTO_TEST_CASE(what_is_posted_under_a_lease_runs)
{
    for (const run_by who : everybody)
    {
        const auto policy = make_shards(who, 1us);
        constexpr int rounds = 300;
        std::atomic<int> ran{0};
        const auto use = [&](bool by_scope) {
            for (int i = 0; i < rounds; ++i)
            {
                const auto key = static_cast<std::uint64_t>(i % 3);
                std::optional<key_scope<std::uint64_t>> scope;
                loops::lease lease;
                asio::io_context* loop = nullptr;
                if (by_scope)
                    loop = &(scope.emplace(key), policy->get_event_loop());
                else
                    loop = &(lease = policy->acquire(with_key(key))).get_event_loop();
                asio::post(*loop, [&] { ++ran; });
                if (who == run_by::caller)
                {
                    loop->restart();
                    loops::poll_loop(*loop);
                }
            }
        };
        std::thread first(use, true);
        std::thread second(use, false);
        use(false);
        first.join();
        second.join();
        BOOST_TEST(test::eventually([&] {
            if (who == run_by::caller)
                policy->for_each_loop([](asio::io_context& loop) {
                    loop.restart();
                    loops::poll_loop(loop);
                });
            return ran == 3 * rounds;
        }));
        BOOST_TEST(becomes_empty(*policy));
    }
}

BOOST_AUTO_TEST_CASE(a_policy_ends_while_loops_are_dropped)
{
    for (int round = 0; round < 20; ++round)
    {
        for (const run_by who : everybody)
        {
            auto policy = make_shards(who, 10us);
            for (std::uint64_t key = 0; key < 5; ++key)
                policy->acquire(with_key(key));
            if (round % 2 == 0)
                policy->close();
            policy.reset();
        }
    }
}

BOOST_AUTO_TEST_CASE(closing_from_what_a_dropped_loop_owns_is_refused)
{
    struct closer
    {
        std::shared_ptr<shards> policy;
        std::shared_ptr<std::atomic<int>> refused;
        ~closer()
        {
            if (policy && test::error_of([&] { policy->close(); }) == error::already_running)
                ++*refused;
        }
    };
    for (const run_by who : everybody)
    {
        auto policy = make_shards(who);
        const loops::loop_local<closer> local;
        const auto refused = std::make_shared<std::atomic<int>>(0);
        {
            const loops::lease lease = policy->acquire(with_key(1));
            auto& mine = local.get(lease.get_event_loop());
            mine.policy = policy;
            mine.refused = refused;
        }
        policy.reset(); // the loop holds the last one
        BOOST_TEST(test::eventually([&] { return *refused == 1; }));
    }
}

BOOST_AUTO_TEST_CASE(nothing_is_dropped_while_parked)
{
    const auto policy = make_shards(run_by::caller, 1us);
    for (int round = 0; round < 20; ++round)
    {
        for (std::uint64_t key = 0; key < 50; ++key)
            policy->get_event_loop(key);
        const loops::parking parked;
        const std::size_t before = policy->size();
        std::vector<std::unique_ptr<loops::event_loop>> others; // takes its time
        for (int i = 0; i < 50; ++i)
            others.push_back(std::make_unique<loops::event_loop>());
        BOOST_TEST(policy->size() == before);
    }
    BOOST_TEST(becomes_empty(*policy));
}
