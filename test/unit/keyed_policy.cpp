// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE keyed_policy
#include <loops/error.hpp>
#include <loops/policy/keyed_policy.hpp>
#include <loops/run.hpp>

#include "support/error_check.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using loops::error;
using loops::event_loop;
using loops::key_scope;
using loops::keyed_options;
using loops::keyed_policy;
using loops::run_by;
using test::check_error;

namespace {

const auto invalid = make_error_code(boost::system::errc::invalid_argument);

using tenants = keyed_policy<std::string>;
using tenant = key_scope<std::string>;

// Neither printed nor made of a number.
struct secret
{
    int value;
    bool operator==(const secret& other) const { return value == other.value; }
};

struct hash_secret
{
    std::size_t operator()(const secret& key) const { return std::hash<int>()(key.value); }
};

keyed_options by_policy()
{
    keyed_options options;
    options.run_by = run_by::policy;
    return options;
}

const std::string& name_of(asio::io_context& loop)
{
    return static_cast<event_loop&>(loop).name();
}

loops::selection with_key(std::uint64_t key)
{
    loops::selection what;
    what.key = key;
    return what;
}

} // namespace

BOOST_AUTO_TEST_CASE(scopes_nest_and_give_each_key_its_loop)
{
    const auto policy = std::make_shared<tenants>();
    const loops::policy_scope answers(policy);
    asio::io_context& acme = policy->get_event_loop("acme");
    {
        const tenant outer("acme");
        BOOST_TEST(&loops::get_event_loop() == &acme);
        {
            const tenant inner("umbrella");
            const key_scope<int> of_another_type(1);
            BOOST_TEST(&loops::get_event_loop() != &acme);
            BOOST_TEST(&loops::get_event_loop() == &policy->get_event_loop("umbrella"));
            std::thread([&] {
                BOOST_TEST(policy->existing_event_loop() == nullptr);
                const tenant same("acme");
                BOOST_TEST(&policy->get_event_loop() == &acme);
            }).join();
        }
        BOOST_TEST(outer.key() == "acme");
        BOOST_TEST(&loops::get_event_loop() == &acme);
        BOOST_TEST(&loops::select_event_loop() == &acme);
    }
    BOOST_TEST(policy->size() == 2U);
    check_error([] { loops::get_event_loop(); }, error::no_current_event_loop, "no key");
    check_error([] { loops::get_event_loop(); }, error::no_current_event_loop, "'keyed'");
    asio::io_context own;
    check_error([&] { loops::set_event_loop(own); }, error::no_current_event_loop, "no key");
}

BOOST_AUTO_TEST_CASE(a_function_tells_the_key)
{
    std::optional<int> shard = 3;
    const auto policy = std::make_shared<keyed_policy<int>>([&] { return shard; });
    asio::io_context& third = policy->get_event_loop();
    BOOST_TEST(&third == &policy->get_event_loop(3));
    shard = 4;
    BOOST_TEST(&policy->get_event_loop() != &third);
    {
        const key_scope scope(3); // speaks before the function
        BOOST_TEST(&policy->get_event_loop() == &third);
    }
    shard.reset();
    BOOST_TEST(policy->existing_event_loop() == nullptr);
    check_error([&] { policy->get_event_loop(); }, error::no_current_event_loop);

    const auto broken = std::make_shared<keyed_policy<int>>(
        []() -> std::optional<int> { throw std::runtime_error("no context"); });
    BOOST_CHECK_THROW(broken->get_event_loop(), std::runtime_error);
    BOOST_TEST(broken->existing_event_loop() == nullptr);
    BOOST_TEST(broken->size() == 0U);
}

BOOST_AUTO_TEST_CASE(hash_and_equality_are_the_users)
{
    struct of_length // so that different keys meet
    {
        std::size_t operator()(const std::string& key) const { return key.size(); }
    };
    struct caseless
    {
        bool operator()(const std::string& a, const std::string& b) const
        {
            return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
                return std::tolower(static_cast<unsigned char>(x)) ==
                       std::tolower(static_cast<unsigned char>(y));
            });
        }
    };
    keyed_policy<std::string, of_length, caseless> policy;
    asio::io_context& loop = policy.get_event_loop("acme");
    BOOST_TEST(&policy.get_event_loop("ACME") == &loop);
    BOOST_TEST(&policy.get_event_loop("emca") != &loop);
    BOOST_TEST(policy.drop("emca"));
    BOOST_TEST(&policy.get_event_loop("Acme") == &loop);
    BOOST_TEST(policy.size() == 1U);
}

BOOST_AUTO_TEST_CASE(names_and_errors_show_the_key)
{
    keyed_options options;
    options.name = "tenant";
    options.on_demand = false;
    const auto closed = std::make_shared<tenants>(options);
    check_error(
        [&] { closed->get_event_loop("acme"); }, error::no_current_event_loop, "key 'acme'");
    BOOST_TEST(closed->size() == 0U);

    options.on_demand = true;
    tenants open(options);
    BOOST_TEST(name_of(open.get_event_loop("acme")) == "tenant-acme");

    keyed_policy<secret, hash_secret> mute;
    BOOST_TEST(name_of(mute.get_event_loop(secret{7})) == "keyed-0");
    BOOST_TEST(name_of(mute.get_event_loop(secret{8})) == "keyed-1");
    BOOST_TEST(name_of(mute.get_event_loop(secret{7})) == "keyed-0");
}

BOOST_AUTO_TEST_CASE(loops_are_set_for_keys)
{
    keyed_options options;
    options.on_demand = false;
    tenants policy({}, options);
    const tenant scope("acme");
    {
        asio::io_context own;
        policy.set_event_loop(&own);
        BOOST_TEST(&policy.get_event_loop("acme") == &own);
        event_loop gone;
        gone.close();
        check_error([&] { policy.set_event_loop(&gone); }, error::loop_closed);
        BOOST_TEST(&policy.get_event_loop() == &own);
    }
    check_error([&] { policy.get_event_loop("acme"); }, error::no_current_event_loop, "acme");
    BOOST_TEST(policy.drop("acme"));
    BOOST_TEST(!policy.drop("acme"));

    // Also where loops are made on demand, a key that lost its loop hears of it until it is dropped.
    tenants making;
    making.set_event_loop(nullptr);
    check_error([&] { making.get_event_loop(); }, error::no_current_event_loop, "drop the key");
    BOOST_TEST(making.drop("acme"));
    making.get_event_loop();
}

BOOST_AUTO_TEST_CASE(selections_name_keys)
{
    keyed_policy<std::uint64_t> numbers;
    BOOST_TEST(&numbers.select_event_loop(with_key(~0ULL)) == &numbers.get_event_loop(~0ULL));

    keyed_policy<std::uint8_t> small;
    BOOST_TEST(&small.select_event_loop(with_key(255)) == &small.get_event_loop(255));
    check_error([&] { small.select_event_loop(with_key(256)); }, invalid, "256");
    BOOST_TEST(small.size() == 1U);

    tenants names; // of which no number makes one
    const tenant scope("acme");
    BOOST_TEST(&names.select_event_loop(with_key(1)) == &names.get_event_loop("acme"));

    keyed_policy<secret, hash_secret> secrets; // nor one of these, whatever the standard
    const key_scope<secret> hidden(secret{7});
    BOOST_TEST(&secrets.select_event_loop(with_key(1)) == &secrets.get_event_loop(secret{7}));
}

BOOST_AUTO_TEST_CASE(a_caller_runs_the_loop_of_its_key)
{
    const auto policy = std::make_shared<tenants>();
    const tenant scope("acme");
    int ran = 0;
    asio::post(policy->get_event_loop("acme"), [&] {
        ++ran;
        BOOST_TEST(&loops::get_event_loop() == &policy->get_event_loop("acme"));
        const tenant inner("umbrella");
        const loops::policy_scope inside(policy);
        BOOST_TEST(&loops::get_event_loop() == &policy->get_event_loop("acme"));
        BOOST_TEST(&loops::get_executor().context() == &policy->get_event_loop("umbrella"));
        BOOST_TEST(policy->drop("umbrella"));
        check_error([&] { policy->drop("acme"); }, error::already_running, "keyed-acme");
        check_error([&] { policy->close(); }, error::already_running);
        policy->stop();
    });
    asio::post(policy->get_event_loop("other"), [&] { ++ran; });
    policy->run();
    BOOST_TEST(ran == 1);
    BOOST_TEST(policy->size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_thread_runs_each_key)
{
    const auto policy = std::make_shared<tenants>(by_policy());
    asio::io_context& acme = policy->get_event_loop("acme");
    test::latch ran;
    std::vector<loops::error_code> codes;
    int right = 0;
    asio::post(acme, [&] {
        const loops::policy_scope answers(policy);
        right += &policy->get_event_loop() == &acme ? 1 : 0;
        right += &loops::select_event_loop() == &acme ? 1 : 0;
        asio::io_context own;
        codes.push_back(test::error_of([&] { policy->set_event_loop(&own); }));
        codes.push_back(test::error_of([&] { policy->drop("acme"); }));
        {
            const tenant inner("umbrella");
            right += &loops::get_event_loop() == &acme ? 1 : 0;
            right += &loops::select_event_loop() == &policy->get_event_loop("umbrella") ? 1 : 0;
            policy->set_event_loop(&own);
        }
        right += policy->get_event_loop("umbrella").stopped() ? 0 : 1;
        right += policy->drop("umbrella") ? 1 : 0;
        ran.count_down();
    });
    BOOST_REQUIRE(ran.wait());
    BOOST_TEST(right == 6);
    BOOST_REQUIRE(codes.size() == 2U);
    BOOST_TEST((codes[0] == boost::system::errc::operation_not_supported));
    BOOST_TEST((codes[1] == error::already_running));
    BOOST_TEST(policy->size() == 1U);
    policy->close();
    check_error([&] { policy->get_event_loop("acme"); }, error::policy_closed);
    BOOST_TEST(policy->size() == 0U);
}

BOOST_AUTO_TEST_CASE(dropping_a_key_ends_its_loop)
{
    for (const run_by who : {run_by::caller, run_by::policy})
    {
        keyed_options options;
        options.run_by = who;
        const auto policy = std::make_shared<tenants>(options);
        asio::io_context& loop = policy->get_event_loop("acme");
        const loops::lease lease(loop);
        auto alive = std::make_shared<int>();
        const std::weak_ptr<int> watched = alive;
        {
            auto timer = std::make_shared<asio::steady_timer>(loop, std::chrono::hours(1));
            timer->async_wait([alive = std::move(alive), timer](const loops::error_code&) {});
        }
        BOOST_TEST(policy->drop("acme"));
        BOOST_TEST(watched.expired());
        check_error([&] { lease.get_event_loop(); }, error::loop_closed, "keyed-acme");
        BOOST_TEST(policy->size() == 0U);
        policy->get_event_loop("acme");
        BOOST_TEST(policy->size() == 1U);
    }
}

BOOST_AUTO_TEST_CASE(a_run_of_the_policy_waits_without_loops)
{
    const auto policy = std::make_shared<tenants>(by_policy());
    std::atomic<bool> returned{false};
    std::thread runner([&] {
        policy->run();
        returned = true;
    });
    for (int round = 0; round < 3; ++round)
    {
        test::latch ran;
        asio::post(policy->get_event_loop("acme"), [&] { ran.count_down(); });
        BOOST_TEST(ran.wait());
        BOOST_TEST(policy->drop("acme"));
        BOOST_TEST(!returned);
    }
    // Told to stop before it waits, or after.
    test::eventually([&] {
        policy->stop();
        return returned.load();
    });
    runner.join();
}

BOOST_AUTO_TEST_CASE(a_stopped_policy_selects_nothing)
{
    const auto policy = std::make_shared<keyed_policy<std::uint64_t>>(by_policy());
    policy->select_event_loop(with_key(1));
    BOOST_TEST(policy->drain(test::patience).complete);
    check_error([&] { policy->select_event_loop(with_key(1)); }, error::policy_closed, "draining");
    policy->start();
    test::latch ran;
    asio::post(policy->select_event_loop(with_key(1)), [&] { ran.count_down(); });
    BOOST_TEST(ran.wait());
}

BOOST_AUTO_TEST_CASE(many_keys)
{
    keyed_policy<std::uint64_t> policy;
    constexpr std::uint64_t count = 2000;
    std::vector<asio::io_context*> all;
    for (std::uint64_t key = 0; key < count; ++key)
        all.push_back(&policy.get_event_loop(key));
    BOOST_TEST(std::set<asio::io_context*>(all.begin(), all.end()).size() == count);
    std::size_t wrong = 0;
    for (std::uint64_t key = 0; key < count; ++key)
        wrong += &policy.get_event_loop(key) == all[key] ? 0U : 1U;
    BOOST_TEST(wrong == 0U);
    std::vector<asio::io_context*> visited;
    {
        const key_scope<std::uint64_t> scope(0);
        policy.for_each_loop([&](asio::io_context& loop) { visited.push_back(&loop); });
    }
    BOOST_TEST((visited == all)); // in the order of their making
}

BOOST_AUTO_TEST_CASE(threads_ask_for_one_key_at_the_same_time)
{
    for (const run_by who : {run_by::caller, run_by::policy})
    {
        keyed_options options;
        options.run_by = who;
        const auto policy = std::make_shared<tenants>(options);
        std::atomic<asio::io_context*> seen[4] = {};
        test::latch together(4);
        std::vector<std::thread> threads;
        for (auto& mine : seen)
        {
            threads.emplace_back([&] {
                together.count_down();
                together.wait();
                mine = &policy->get_event_loop("acme");
            });
        }
        for (std::thread& each : threads)
            each.join();
        BOOST_TEST(policy->size() == 1U);
        for (const auto& each : seen)
            BOOST_TEST(each == seen[0]);
    }
}

BOOST_AUTO_TEST_CASE(a_child_has_its_own_loops)
{
    if (test::no_threads_in_child("a_child_has_its_own_loops"))
        return;
    const auto policy = std::make_shared<tenants>(by_policy());
    const tenant scope("acme");
    const asio::io_context* const parents = &policy->get_event_loop();
    const int code = test::in_forked_child([&] {
        if (policy->size() != 0 || policy->existing_event_loop() != nullptr)
            return 1;
        test::latch ran;
        asio::io_context& loop = policy->get_event_loop();
        asio::post(loop, [&] { ran.count_down(); });
        if (&loop == parents || !ran.wait())
            return 2;
        policy->close();
        return 0;
    });
    BOOST_TEST(code == 0);
    BOOST_TEST(policy->existing_event_loop() == parents);
}
