// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE make_policy
#include <loops/backend.hpp>
#include <loops/error.hpp>
#include <loops/event_loop.hpp>
#include <loops/make_policy.hpp>
#include <loops/policy/bounded_policy.hpp>
#include <loops/policy/keyed_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/priority_policy.hpp>

#include "support/error_check.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include <unistd.h>

namespace asio = boost::asio;
using loops::error;
using test::check_error;

namespace {

const auto invalid = make_error_code(boost::system::errc::invalid_argument);

} // namespace

BOOST_AUTO_TEST_CASE(descriptions_make_policies)
{
    BOOST_TEST(loops::make_policy("default")->name() == "default");
    BOOST_TEST(loops::make_policy("per_thread,creation=never")->name() == "default");
    BOOST_TEST(loops::make_policy("shared")->name() == "shared");
    BOOST_TEST(loops::make_policy("shared:3")->name() == "shared");
    BOOST_TEST(loops::make_policy("threaded")->name() == "threaded");
    const auto pool = loops::make_policy("pool:3,chooser=least_loaded,pin=compact,name=web");
    BOOST_TEST(std::dynamic_pointer_cast<loops::pool_policy>(pool)->size() == 3U);
    BOOST_TEST(std::dynamic_pointer_cast<loops::pool_policy>(loops::make_policy("pool"))->size() ==
               loops::available_parallelism());
}

BOOST_AUTO_TEST_CASE(descriptions_of_keyed_policies)
{
    using numbers = loops::keyed_policy<std::uint64_t>;
    const auto shards =
        std::dynamic_pointer_cast<numbers>(loops::make_policy("keyed:4,name=shard,idle=3600s"));
    BOOST_REQUIRE(shards);
    asio::io_context& third = shards->get_event_loop(3);
    BOOST_TEST(static_cast<loops::event_loop&>(third).name() == "shard-3");
    loops::selection what;
    what.key = 11; // modulo 4
    BOOST_TEST(&shards->select_event_loop(what) == &third);
    {
        const loops::key_scope<std::uint64_t> scope(7);
        BOOST_TEST(&shards->get_event_loop() == &third);
    }
    BOOST_TEST(&shards->get_event_loop() == &shards->get_event_loop(0)); // where there is no key
    BOOST_TEST(shards->size() == 2U);
    BOOST_TEST(shards->drop(15));
    BOOST_TEST(shards->size() == 1U);

    const auto all = std::dynamic_pointer_cast<numbers>(loops::make_policy("keyed"));
    BOOST_REQUIRE(all);
    BOOST_TEST(&all->get_event_loop(1) != &all->get_event_loop(5));

    const auto hasty = std::dynamic_pointer_cast<numbers>(loops::make_policy("keyed,idle=50us"));
    hasty->get_event_loop(1);
    BOOST_TEST(test::eventually([&] { return hasty->size() == 0; }));
}

BOOST_AUTO_TEST_CASE(descriptions_wrap)
{
    const auto bounded = std::dynamic_pointer_cast<loops::bounded_policy>(
        loops::make_policy("bounded:64,queue=0/priority:3,ageing=5/pool:2,name=web"));
    BOOST_REQUIRE(bounded);
    BOOST_TEST(bounded->most_tasks() == 64U);
    BOOST_TEST(bounded->most_waiting() == 0U);
    const auto priority = std::dynamic_pointer_cast<loops::priority_policy>(bounded->inner());
    BOOST_REQUIRE(priority);
    BOOST_TEST(priority->levels() == 3);
    const auto pool = std::dynamic_pointer_cast<loops::pool_policy>(priority->inner());
    BOOST_REQUIRE(pool);
    BOOST_TEST(pool->size() == 2U);
    BOOST_TEST(static_cast<loops::event_loop&>(bounded->select_event_loop()).name() == "web-0");
    BOOST_TEST(
        std::dynamic_pointer_cast<loops::priority_policy>(loops::make_policy("priority/default"))
            ->levels() == loops::priority_options().levels);
}

BOOST_AUTO_TEST_CASE(descriptions_name_the_backend)
{
    BOOST_TEST(loops::make_policy("platform,creation=never")->name() == "platform");
    const bool completes = loops::backend() == loops::backend_type::io_uring;
    const char* const good = completes ? "proactor" : "selector";
    const char* const bad = completes ? "selector" : "proactor";
    BOOST_TEST(loops::make_policy(good)->name() == good);
    check_error([&] { loops::make_policy(bad); }, error::backend_unavailable,
        "this build holds " + std::string(loops::to_string(loops::backend())));
    check_error([&] { loops::make_policy(bad); }, error::backend_unavailable,
        completes ? "asio-backend=epoll" : "asio-backend=io_uring");
}

BOOST_AUTO_TEST_CASE(bad_descriptions_say_where_and_what)
{
    const auto bad = [](const char* text, const char* word) {
        check_error([&] { loops::make_policy(text); }, invalid, word);
        loops::error_code ec;
        BOOST_TEST((loops::make_policy(text, ec) == nullptr));
        BOOST_TEST((ec == invalid));
    };
    bad("", "character 1: expected one of default");
    bad("poll:4", "found 'poll'");
    bad("pool:x", "character 6: expected a number");
    bad("pool:0", "1 to 4096");
    bad("pool:-1", "1 to 4096");
    bad("pool:5000", "1 to 4096");
    bad("pool,pin=none,pin=spread", "each key once");
    bad("pool:4,", "character 8: expected key=value");
    bad("pool:4,chooser", "key=value");
    bad("pool:4,chooser=best", "character 16: expected one of round_robin, least_loaded");
    bad("pool,pine=spread", "character 6: expected one of chooser, pin, name");
    bad("pool:2/shared", "character 8: expected the end, since 'pool' wraps no policy");
    bad("bounded:2", "character 10: expected '/' and the policy");
    bad("bounded:2/", "character 11: expected one of default");
    bad("bounded/pool", "character 8: expected ':' and a value after 'bounded'");
    bad("bounded:0/pool", "character 9: expected a number of tasks, 1 to");
    bad("bounded:2,queue=x/pool", "character 17: expected a number of waiting tasks, 0 to");
    bad("bounded:2,que=1/pool", "character 11: expected one of queue");
    bad("bounded:2/pool:0", "character 16: expected a number of threads");
    bad("bounded:2/pool,pine=no", "character 16: expected one of chooser, pin, name");
    bad("priority:33/pool", "character 10: expected a number of priorities, 1 to 32");
    bad("priority:3/bounded:2/poll", "character 22: expected one of default");
    bad("keyed:0", "character 7: expected a number of threads");
    for (const char* time : {"", "5", "s", "1h", "-1s", "1.5s", "9999999999999999999s"})
        bad(("keyed,idle=" + std::string(time)).c_str(), "character 12: expected a time in ns");
    bad("threaded:2", "no value");
    bad("shared,pin=none", "expected one of watch");
    bad("default,creation=sometimes", "every_thread");
}

BOOST_AUTO_TEST_CASE(the_environment_names_the_first_policy)
{
    // In a child: the process's first policy is made once.
    const auto name_in_child = [](const char* words) {
        ::setenv("LOOPS_POLICY", words, 1);
        const int code = test::in_forked_child([] {
            ::execl("/proc/self/exe", "make_policy", "--run_test=child_of_environment",
                "--log_level=nothing", "--report_level=no", static_cast<char*>(nullptr));
            return 99;
        });
        ::unsetenv("LOOPS_POLICY");
        return code;
    };
    BOOST_TEST(name_in_child("pool:2,name=env") == 0);
    BOOST_TEST(name_in_child("pool:2,nonsense") != 0);
}

BOOST_AUTO_TEST_CASE(child_of_environment)
{
    const bool asked = std::getenv("LOOPS_POLICY") != nullptr;
    BOOST_TEST((loops::get_event_loop_policy()->name() == "pool") == asked);
}
