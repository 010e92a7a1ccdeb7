// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE policy_contract
#include <loops/error.hpp>
#include <loops/run.hpp>
#include <loops/spawn.hpp>

#include "contract/policy_suite.hpp"
#include "support/error_check.hpp"
#include "support/latch.hpp"

#include <boost/asio/detached.hpp>
#include <boost/test/unit_test.hpp>
#if defined(LOOPS_HAS_COROUTINES)
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#endif
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using loops::error;
using loops::event_loop;
using loops::policy_scope;
using test::check_error;

namespace {

// Runs a policy's loops while it lives, whoever has to run them.
class running
{
public:
    running(const test::policy_kind& kind, test::policy_pointer policy) : policy_(std::move(policy))
    {
        policy_->start();
        loop_ = &policy_->select_event_loop();
        // A caller's policy runs the loop of the thread that asks: hand this one over.
        thread_ = std::thread([this, by_caller = kind.run_by_caller] {
            if (by_caller)
                policy_->set_event_loop(loop_);
            try
            {
                if (by_caller)
                    policy_->run();
                else
                    policy_->join();
            }
            catch (...)
            {
                failure_ = std::current_exception();
            }
        });
        test::latch inside;
        asio::post(*loop_, [&] { inside.count_down(); });
        BOOST_REQUIRE(inside.wait());
    }

    ~running()
    {
        policy_->stop();
        end();
    }

    void end()
    {
        if (thread_.joinable())
            thread_.join();
    }

    asio::io_context& loop() { return *loop_; }
    std::exception_ptr failure() const { return failure_; }

private:
    test::policy_pointer policy_;
    asio::io_context* loop_ = nullptr;
    std::thread thread_;
    std::exception_ptr failure_;
};

} // namespace

LOOPS_POLICY_CASE(current_loop_is_stable_in_a_thread)
{
    const policy_scope scope(kind.make());
    asio::io_context& loop = loops::get_event_loop();
    BOOST_TEST(&loops::get_event_loop() == &loop);
    BOOST_TEST(scope.policy()->existing_event_loop() == &loop);
    BOOST_TEST(&scope.policy()->get_event_loop() == &loop);
    loops::error_code ec;
    BOOST_TEST(loops::try_get_event_loop(ec) == &loop);
    BOOST_TEST(!ec);
}

LOOPS_POLICY_CASE(threads_map_to_loops)
{
    const auto policy = kind.make();
    const policy_scope scope(policy);
    std::set<asio::io_context*> loops{&loops::get_event_loop()};
    std::vector<std::thread> threads;
    std::mutex mutex;
    test::latch all(3); // the loops live together, so that equal addresses mean equal loops
    for (int i = 0; i < 3; ++i)
    {
        threads.emplace_back([&] {
            const policy_scope inner(policy);
            {
                const std::lock_guard lock(mutex);
                loops.insert(&loops::get_event_loop());
            }
            all.count_down();
            all.wait();
        });
    }
    for (auto& thread : threads)
        thread.join();
    BOOST_TEST(loops.size() == (kind.one_for_all_threads ? 1U : 4U));
}

LOOPS_POLICY_CASE(a_loop_is_adopted_and_its_death_empties_the_slot)
{
    const policy_scope scope(kind.make());
    {
        asio::io_context own;
        loops::set_event_loop(own);
        BOOST_TEST(&loops::get_event_loop() == &own);
        BOOST_TEST(loops::get_event_loop_policy()->existing_event_loop() == &own);
    }
    BOOST_TEST(loops::get_event_loop_policy()->existing_event_loop() == nullptr);
    check_error([] { loops::get_event_loop(); }, error::no_current_event_loop,
        "'" + test::mapper_of(scope.policy())->name() + "'");
    check_error([] { loops::get_event_loop(); }, error::no_current_event_loop, "thread '");
    asio::io_context again;
    loops::set_event_loop(again);
    BOOST_TEST(&loops::get_event_loop() == &again);
    loops::set_event_loop(nullptr);
    loops::error_code ec;
    BOOST_TEST(loops::try_get_event_loop(ec) == nullptr);
    BOOST_TEST((ec == error::no_current_event_loop));
}

LOOPS_POLICY_CASE(a_new_loop_is_nobodys_current_one)
{
    const policy_scope scope(kind.make());
    asio::io_context& current = loops::get_event_loop();
    const auto made = loops::new_event_loop();
    BOOST_TEST(made.get() != &current);
    BOOST_TEST(&loops::get_event_loop() == &current);
}

LOOPS_POLICY_CASE(the_factory_makes_the_loops)
{
    const auto policy = kind.make();
    int made = 0;
    policy->set_loop_factory([&] {
        ++made;
        return std::make_unique<event_loop>("custom-" + std::to_string(made));
    });
    const policy_scope scope(policy);
    BOOST_TEST(static_cast<event_loop&>(loops::get_event_loop()).name() == "custom-1");
    BOOST_TEST(loops::new_event_loop()->name() == "custom-2");
    policy->set_loop_factory([]() -> std::unique_ptr<event_loop> { return nullptr; });
    check_error([] { loops::new_event_loop(); },
        make_error_code(boost::system::errc::invalid_argument), "factory");
    policy->set_loop_factory(
        []() -> std::unique_ptr<event_loop> { throw std::runtime_error("no loop"); });
    BOOST_CHECK_THROW(loops::new_event_loop(), std::runtime_error);
    policy->set_loop_factory({});
    BOOST_TEST(loops::new_event_loop()->name().rfind("custom", 0) != 0U);
}

LOOPS_POLICY_CASE(each_loop_is_visited_once)
{
    const policy_scope scope(kind.make());
    loops::event_loop_policy& policy = *scope.policy();
    std::vector<asio::io_context*> all;
    policy.for_each_loop([&](asio::io_context& loop) { all.push_back(&loop); });
    BOOST_TEST(std::set<asio::io_context*>(all.begin(), all.end()).size() == all.size());
    for (int i = 0; i < 8; ++i)
        BOOST_TEST(std::count(all.begin(), all.end(), &policy.select_event_loop()) == 1);
    policy.close();
    check_error([&] { policy.for_each_loop([](asio::io_context&) {}); }, error::policy_closed);
}

LOOPS_POLICY_CASE(selected_loops_run_what_is_posted)
{
    const auto policy = kind.make();
    running runs(kind, policy);
    test::latch ran;
    std::atomic<int> right{0};
    asio::post(runs.loop(), [&] {
        right += &loops::get_event_loop() == &runs.loop() ? 1 : 0;
        right += &loops::get_running_loop() == &runs.loop() ? 1 : 0;
        right += policy->existing_event_loop() == &runs.loop() ? 1 : 0;
        ran.count_down();
    });
    BOOST_TEST(ran.wait());
    BOOST_TEST(right == 3);
}

LOOPS_POLICY_CASE(leases_count_until_they_are_released)
{
    const policy_scope scope(kind.make());
    loops::lease lease = loops::acquire({}, 3);
    asio::io_context& loop = lease.get_event_loop();
    BOOST_TEST(loops::load_of(loop) == 3);
    lease.reweigh(5);
    BOOST_TEST(loops::load_of(loop) == 5);
    {
        const loops::lease moved = std::move(lease);
        BOOST_TEST(!lease);
        BOOST_TEST(loops::load_of(loop) == 5);
    }
    BOOST_TEST(loops::load_of(loop) == 0);
    check_error([] { loops::acquire({}, -1); },
        make_error_code(boost::system::errc::invalid_argument), "-1");
    BOOST_TEST(loops::load_of(loop) == 0);
}

LOOPS_POLICY_CASE(close_is_final_and_idempotent)
{
    const auto policy = kind.make();
    const policy_scope scope(policy);
    loops::get_event_loop();
    loops::select_event_loop();
    const auto handed_out = policy->new_event_loop();
    policy->close();
    policy->close();
    BOOST_TEST(policy->is_closed());
    BOOST_TEST(!handed_out->is_closed());
    check_error([] { loops::get_event_loop(); }, error::policy_closed);
    check_error([] { loops::select_event_loop(); }, error::policy_closed);
    check_error([] { loops::new_event_loop(); }, error::policy_closed);
    asio::io_context own;
    check_error([&] { loops::set_event_loop(own); }, error::policy_closed);
    check_error([&] { policy->run(); }, error::policy_closed);
}

LOOPS_POLICY_CASE(close_is_refused_from_inside)
{
    const auto policy = kind.make();
    running runs(kind, policy);
    test::latch ran;
    std::vector<loops::error_code> codes;
    asio::post(runs.loop(), [&] {
        codes.push_back(test::error_of([&] { policy->close(); }));
        codes.push_back(test::error_of([&] { policy->join(); }));
        codes.push_back(test::error_of([&] { policy->run(); }));
        codes.push_back(test::error_of([&] { policy->drain(std::chrono::seconds(1)); }));
        ran.count_down();
    });
    BOOST_TEST(ran.wait());
    BOOST_TEST(codes.size() == 4U);
    for (const loops::error_code& code : codes)
        BOOST_TEST((code == error::already_running));
    BOOST_TEST(!policy->is_closed());
}

LOOPS_POLICY_CASE(an_exception_stops_the_policy_and_is_rethrown)
{
    const auto policy = kind.make();
    running runs(kind, policy);
    asio::post(runs.loop(), [] { throw std::runtime_error("handler"); });
    runs.end();
    BOOST_REQUIRE((runs.failure() != nullptr));
    BOOST_CHECK_THROW(std::rethrow_exception(runs.failure()), std::runtime_error);
    policy->join(); // once: nothing is left to throw
}

LOOPS_POLICY_CASE(an_exception_action_goes_on)
{
    const auto policy = kind.make();
    std::atomic<int> handled{0};
    policy->on_exception(
        loops::exception_action::call([&](const std::exception_ptr&) { ++handled; }));
    running runs(kind, policy);
    test::latch after;
    asio::post(runs.loop(), [] { throw std::runtime_error("handler"); });
    loops::spawn(
        runs.loop().get_executor(), [](auto) { throw std::runtime_error("task"); }, asio::detached);
    asio::post(runs.loop(), [&] {
        // Behind the second throw, which the task's end has queued by now.
        asio::post(runs.loop(), [&] { asio::post(runs.loop(), [&] { after.count_down(); }); });
    });
    BOOST_TEST(after.wait());
    BOOST_TEST(test::eventually([&] { return handled == 2; }));
}

LOOPS_POLICY_CASE(drain_lets_work_end_and_reports)
{
    const auto policy = kind.make();
    running runs(kind, policy);
    std::atomic<bool> ended{false};
    std::atomic<bool> hooked{false};
    asio::steady_timer timer(runs.loop(), std::chrono::milliseconds(20));
    timer.async_wait([&](const loops::error_code& ec) { ended = !ec; });
    policy->on_drain([&] { hooked = true; });
    const loops::drain_report report = policy->drain(test::patience);
    BOOST_TEST(report.complete);
    BOOST_TEST(ended);
    BOOST_TEST(hooked);
    BOOST_TEST(!report.loops.empty());
    for (const auto& loop : report.loops)
        BOOST_TEST(!loop.busy);
    runs.end();
}

LOOPS_POLICY_CASE(drain_stops_at_its_limit_and_says_what_was_left)
{
    const auto policy = kind.make();
    running runs(kind, policy);
    bool ended = false;
    asio::steady_timer timer(runs.loop(), std::chrono::hours(1));
    timer.async_wait([&](const loops::error_code&) { ended = true; });
    const loops::lease lease(runs.loop(), 2);
    const loops::drain_report report = policy->drain(std::chrono::milliseconds(20));
    runs.end();
    BOOST_TEST(!report.complete);
    BOOST_TEST(!ended);
    std::size_t busy = 0;
    std::int64_t load = 0;
    for (const auto& loop : report.loops)
    {
        busy += loop.busy ? 1 : 0;
        load += loop.load;
    }
    BOOST_TEST(busy == 1U);
    BOOST_TEST(load == 2);
}

LOOPS_POLICY_CASE(it_runs_again_after_a_stop)
{
    const auto policy = kind.make();
    {
        running once(kind, policy);
    }
    {
        running twice(kind, policy);
        policy->drain(test::patience);
        twice.end();
    }
    if (kind.chooses)
        check_error([&] { policy->select_event_loop(); }, error::policy_closed, "draining");
}

LOOPS_POLICY_CASE(scopes_nest_and_restore)
{
    const auto process = loops::get_event_loop_policy();
    asio::io_context& outside = loops::get_event_loop();
    {
        const policy_scope one(kind.make());
        asio::io_context& first = loops::get_event_loop();
        BOOST_TEST(&first != &outside);
        {
            const policy_scope two(kind.make());
            BOOST_TEST(&loops::get_event_loop() != &first);
            BOOST_TEST(loops::get_event_loop_policy() == two.policy());
        }
        BOOST_TEST(&loops::get_event_loop() == &first);
    }
    BOOST_TEST(&loops::get_event_loop() == &outside);
    BOOST_TEST(loops::get_event_loop_policy() == process);
    check_error([] { policy_scope(nullptr); },
        make_error_code(boost::system::errc::invalid_argument), "null");
}

LOOPS_POLICY_CASE(scopes_inside_handlers_decide_selection_only)
{
    const auto policy = kind.make();
    event_loop loop;
    bool ran = false;
    asio::post(loop, [&] {
        BOOST_TEST(&loops::select_event_loop() == &loop);
        const policy_scope scope(policy);
        BOOST_TEST(&loops::get_event_loop() == &loop);
        BOOST_TEST(&loops::select_event_loop() != &loop);
        BOOST_TEST(&loops::get_executor().context() != &loop);
        BOOST_TEST(&loops::acquire().get_event_loop() != &loop);
        ran = true;
    });
    loop.run();
    BOOST_TEST(ran);
}

LOOPS_POLICY_CASE(a_replaced_policy_leaves_its_loops_usable)
{
    const auto before = loops::get_event_loop_policy();
    loops::set_event_loop_policy(kind.make());
    std::weak_ptr<loops::event_loop_policy> old = loops::get_event_loop_policy();
    // Whoever wants to go on with a loop that is the policy's own holds the policy.
    auto hold = kind.loops_go_with_it ? old.lock() : nullptr;
    asio::io_context& loop = loops::get_event_loop();
    test::latch ran;
    if (kind.runs_current_loops)
    {
        auto timer = std::make_shared<asio::steady_timer>(loop, std::chrono::milliseconds(20));
        timer->async_wait([&, timer](const loops::error_code&) { ran.count_down(); });
        loops::set_event_loop_policy(before);
    }
    else
    {
        loops::set_event_loop_policy(before);
        asio::post(loop, [&] { ran.count_down(); });
        loops::run_loop(loop);
    }
    BOOST_TEST(ran.wait());
    BOOST_TEST(!static_cast<event_loop&>(loop).is_closed());
    hold.reset();
    BOOST_TEST(test::eventually([&] { return old.expired(); }));
}

LOOPS_POLICY_CASE(a_running_loop_keeps_its_policy)
{
    if (kind.runs_its_loops)
        return; // those are ended with their policy: see the next case
    auto policy = kind.make();
    // A loop belongs to the policy that made it, whatever wraps that.
    const std::weak_ptr<loops::event_loop_policy> watched = test::mapper_of(policy);
    event_loop& loop = static_cast<event_loop&>(policy->get_event_loop());
    asio::post(loop, [&] {
        policy.reset();
        BOOST_TEST(!watched.expired());
        BOOST_TEST(!loop.is_closed());
    });
    loop.run();
    BOOST_TEST(watched.expired());
}

LOOPS_POLICY_CASE(a_policy_dropped_inside_is_torn_down_elsewhere)
{
    if (!kind.runs_its_loops)
        return;
    auto policy = kind.make();
    asio::io_context& loop = policy->select_event_loop();
    auto owned = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = owned;
    auto timer = std::make_shared<asio::steady_timer>(loop, std::chrono::hours(1));
    timer->async_wait([owned = std::move(owned), timer](const loops::error_code&) {});
    timer.reset();
    test::latch posted;
    test::latch dropped;
    asio::post(loop, [&posted, &dropped, policy = std::move(policy)]() mutable {
        posted.wait();
        policy.reset();
        dropped.count_down();
    });
    posted.count_down();
    BOOST_TEST(dropped.wait());
    BOOST_TEST(test::eventually([&] { return watched.expired(); }));
}

LOOPS_POLICY_CASE(a_main_task_runs_by_the_policy)
{
    const policy_scope scope(kind.make());
    asio::io_context& current = loops::get_event_loop();
    BOOST_TEST(loops::run([] { return 9; }) == 9);
    BOOST_TEST(&loops::get_event_loop() == &current);
    BOOST_CHECK_THROW(loops::run([] { throw std::runtime_error("main"); }), std::runtime_error);
#if defined(LOOPS_HAS_COROUTINES)
    const auto main = []() -> asio::awaitable<int> {
        asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
        co_await timer.async_wait(asio::use_awaitable);
        co_return 11;
    };
    BOOST_TEST(loops::run(main()) == 11);
#endif
}
