// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE make_policy
#include <loops/backend.hpp>
#include <loops/error.hpp>
#include <loops/make_policy.hpp>
#include <loops/policy/pool_policy.hpp>

#include "support/error_check.hpp"
#include "support/forked.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <memory>
#include <string>

#include <unistd.h>

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
    bad("pool:2/shared", "character 8: expected the end of the description");
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
