// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE loop_local
#include <loops/event_loop.hpp>
#include <loops/loop_local.hpp>

#include "support/error_check.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace asio = boost::asio;
using loops::error;
using loops::event_loop;
using test::check_error;

BOOST_AUTO_TEST_CASE(a_loop_local_is_one_for_each_loop_and_dies_with_it)
{
    std::vector<std::string> died;
    struct value
    {
        std::vector<std::string>& to;
        std::string name;
        ~value() { to.push_back(name); }
    };
    int made = 0;
    const loops::loop_local<value> first([&](asio::io_context&) {
        ++made;
        return std::shared_ptr<value>(new value{died, "first"});
    });
    const loops::loop_local<value> second([&](asio::io_context& loop) {
        first.get(loop);
        return std::shared_ptr<value>(new value{died, "second"});
    });
    {
        event_loop a;
        event_loop b;
        BOOST_TEST(&second.get(a) == &second.get(a));
        BOOST_TEST(&first.get(a) != &first.get(b));
        BOOST_TEST(made == 2);
        a.close();
        BOOST_TEST(died == (std::vector<std::string>{"second", "first"}));
        check_error([&] { first.get(a); }, error::loop_closed);
    }
    BOOST_TEST(died.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_loop_local_may_hold_io_objects_of_its_loop)
{
    const loops::loop_local<asio::steady_timer> timers(
        [](asio::io_context& loop) { return std::make_shared<asio::steady_timer>(loop); });
    event_loop loop;
    timers.get(loop).expires_after(std::chrono::hours(1));
    bool called = false;
    timers.get(loop).async_wait([&](const loops::error_code&) { called = true; });
    loop.poll();
    BOOST_TEST(!called);
}

BOOST_AUTO_TEST_CASE(a_loop_local_goes_before_whatever_waits_on_an_event_loop)
{
    std::vector<std::string> died;
    struct value
    {
        std::vector<std::string>& to;
        const char* name;
        ~value() { to.emplace_back(name); }
    };
    const auto make = [&](const char* name) {
        return std::shared_ptr<value>(new value{died, name});
    };
    const loops::loop_local<value> local([&](asio::io_context&) { return make("local"); });
    event_loop loop;
    local.get(loop);
    auto timer = std::make_shared<asio::steady_timer>(loop, std::chrono::hours(1));
    timer->async_wait([timer, held = make("wait")](const loops::error_code&) {});
    timer.reset();
    asio::post(loop, [held = make("handler")] {});
    loop.close();
    BOOST_REQUIRE(died.size() == 3U);
    BOOST_TEST(died[0] == "local");
}

BOOST_AUTO_TEST_CASE(a_loop_local_that_needs_itself_is_an_error)
{
    const loops::loop_local<int>* first = nullptr;
    bool circle = true;
    const loops::loop_local<int> second(
        [&](asio::io_context& loop) { return std::make_shared<int>(first->get(loop) + 1); });
    const loops::loop_local<int> made([&](asio::io_context& loop) {
        return std::make_shared<int>(circle ? second.get(loop) : 1);
    });
    first = &made;
    event_loop loop("circular");
    check_error([&] { made.get(loop); },
        make_error_code(boost::system::errc::resource_deadlock_would_occur), "circular");
    circle = false;
    BOOST_TEST(made.get(loop) == 1);
}

BOOST_AUTO_TEST_CASE(a_loop_local_that_fails_to_be_made_is_tried_again)
{
    int tries = 0;
    const loops::loop_local<int> local([&](asio::io_context&) {
        if (++tries == 1)
            throw std::runtime_error("not yet");
        return std::make_shared<int>(7);
    });
    event_loop loop;
    BOOST_CHECK_THROW(local.get(loop), std::runtime_error);
    BOOST_TEST(local.get(loop) == 7);
}
