// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE event_loop
#include <loops/event_loop.hpp>
#include <loops/run.hpp>

#include "support/error_check.hpp"
#include "support/latch.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <thread>

namespace asio = boost::asio;
using loops::error;
using loops::event_loop;
using test::check_error;

BOOST_AUTO_TEST_CASE(has_a_name)
{
    BOOST_TEST(event_loop("web").name() == "web");
    BOOST_TEST(event_loop().name().rfind("loop-", 0) == 0U);
}

BOOST_AUTO_TEST_CASE(a_run_is_recorded_and_counted)
{
    event_loop loop;
    BOOST_TEST(!loop.is_running());
    int seen = 0;
    asio::post(loop, [&] {
        seen += loop.is_running() ? 1 : 0;
        seen += &loops::get_running_loop() == &loop ? 1 : 0;
        seen += &loops::get_event_loop() == &loop ? 1 : 0;
    });
    BOOST_TEST(loop.run() == 1U);
    BOOST_TEST(seen == 3);
    BOOST_TEST(!loop.is_running());
    BOOST_TEST(loops::try_get_running_loop() == nullptr);
}

BOOST_AUTO_TEST_CASE(all_run_forms_run)
{
    using namespace std::chrono_literals;
    event_loop loop;
    std::size_t ran = 0;
    const auto add = [&] {
        loop.restart();
        asio::post(loop, [&] { ++ran; });
    };
    add();
    BOOST_TEST(loop.run_for(10s) == 1U);
    add();
    BOOST_TEST(loop.run_until(std::chrono::system_clock::now() + 10s) == 1U);
    add();
    BOOST_TEST(loop.run_one() == 1U);
    add();
    BOOST_TEST(loop.run_one_for(10s) == 1U);
    add();
    BOOST_TEST(loop.run_one_until(std::chrono::steady_clock::now() + 10s) == 1U);
    add();
    BOOST_TEST(loop.poll() == 1U);
    add();
    BOOST_TEST(loop.poll_one() == 1U);
    BOOST_TEST(ran == 7U);
}

BOOST_AUTO_TEST_CASE(all_run_forms_run_in_debug_mode)
{
    using namespace std::chrono_literals;
    event_loop loop;
    loop.set_debug(true);
    // Counted here: with io_uring Asio counts operations of its own as handlers.
    std::size_t ran = 0;
    const auto add = [&] {
        loop.restart();
        ran = 0;
        asio::post(loop, [&] { ++ran; });
        asio::post(loop, [&] { ++ran; });
    };
    add();
    loop.run();
    BOOST_TEST(ran == 2U);
    add();
    loop.run_for(10s);
    BOOST_TEST(ran == 2U);
    add();
    loop.poll();
    BOOST_TEST(ran == 2U);
    add();
    BOOST_TEST(loop.poll_one() == 1U);
    BOOST_TEST(ran == 1U);
    BOOST_TEST(loop.run_one() == 1U);
    BOOST_TEST(ran == 2U);
    asio::steady_timer timer(loop, 1h);
    loop.restart();
    timer.async_wait([&](const loops::error_code&) { ++ran; });
    loop.run_for(1ms);
    loop.poll();
    BOOST_TEST(ran == 2U);
    timer.expires_after(5ms);
    timer.async_wait([&](const loops::error_code&) { ++ran; });
    loop.run();
    BOOST_TEST(ran == 4U);
}

BOOST_AUTO_TEST_CASE(the_same_loop_does_not_nest_and_another_does)
{
    event_loop outer("outer");
    event_loop inner("inner");
    bool nested = false;
    asio::post(outer, [&] {
        check_error([&] { outer.run(); }, error::already_running, "outer");
        check_error([&] { outer.poll(); }, error::already_running, "outer");
        asio::post(inner, [&] {
            nested = &loops::get_running_loop() == &inner;
            check_error([&] { outer.run(); }, error::already_running, "outer");
        });
        inner.run();
        BOOST_TEST(&loops::get_running_loop() == &outer);
    });
    outer.run();
    BOOST_TEST(nested);
}

BOOST_AUTO_TEST_CASE(a_plain_run_is_refused_inside_too)
{
    event_loop loop;
    asio::post(loop, [&] { check_error([&] { loop.run(); }, error::already_running); });
    static_cast<asio::io_context&>(loop).run();
}

BOOST_AUTO_TEST_CASE(a_loop_for_one_thread_refuses_a_second)
{
    event_loop loop(1, "single");
    test::latch inside;
    test::latch done;
    asio::post(loop, [&] {
        inside.count_down();
        done.wait();
    });
    std::thread first([&] { loop.run(); });
    BOOST_TEST(inside.wait());
    check_error([&] { loop.run(); }, error::already_running, "single");
    done.count_down();
    first.join();
}

BOOST_AUTO_TEST_CASE(two_threads_may_run_an_ordinary_loop)
{
    event_loop loop;
    test::latch both(2);
    for (int i = 0; i < 2; ++i)
    {
        asio::post(loop, [&] {
            both.count_down();
            both.wait();
        });
    }
    std::thread second([&] { loop.run(); });
    loop.run();
    second.join();
    BOOST_TEST(both.wait());
}

BOOST_AUTO_TEST_CASE(request_stop_before_runs_what_was_queued_once_and_does_not_stick)
{
    event_loop loop;
    int first = 0;
    int later = 0;
    asio::post(loop, [&] {
        ++first;
        asio::post(loop, [&] { ++later; });
    });
    loop.request_stop();
    asio::post(loop, [&] { ++first; });
    loop.run_forever();
    BOOST_TEST(first == 2);
    BOOST_TEST(later == 0);
    BOOST_TEST(!loop.stopped());
    loop.request_stop();
    loop.run_forever();
    BOOST_TEST(later == 1);
}

BOOST_AUTO_TEST_CASE(run_forever_does_not_return_for_want_of_work)
{
    event_loop loop;
    test::latch second;
    std::thread runner([&] { loop.run_forever(); });
    test::latch first;
    asio::post(loop, [&] { first.count_down(); });
    BOOST_TEST(first.wait());
    asio::post(loop, [&] { second.count_down(); });
    BOOST_TEST(second.wait());
    loop.request_stop();
    runner.join();
}

BOOST_AUTO_TEST_CASE(stop_keeps_its_own_meaning)
{
    event_loop loop;
    loop.stop();
    loop.run_forever();
    BOOST_TEST(loop.stopped());
}

BOOST_AUTO_TEST_CASE(request_stop_races_with_run_forever)
{
    for (int i = 0; i < 200; ++i)
    {
        event_loop loop;
        std::thread runner([&] { loop.run_forever(); });
        loop.request_stop();
        runner.join();
    }
    BOOST_TEST(true);
}

BOOST_AUTO_TEST_CASE(close_destroys_what_waits_and_twice_is_nothing)
{
    event_loop loop("closing");
    auto owned = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = owned;
    bool ran = false;
    asio::post(loop, [&, owned = std::move(owned)] { ran = true; });
    loop.close();
    BOOST_TEST(watched.expired());
    BOOST_TEST(loop.is_closed());
    loop.close();
    check_error([&] { loop.run(); }, error::loop_closed, "closing");
    check_error([&] { loop.run_forever(); }, error::loop_closed);
    check_error([&] { loops::set_event_loop(loop); }, error::loop_closed, "closing");
    auto late = std::make_shared<int>(2);
    const std::weak_ptr<int> late_watched = late;
    {
        asio::post(loop, [&, late = std::move(late)] { ran = true; });
        static_cast<asio::io_context&>(loop).run();
    }
    BOOST_TEST(!ran);
    loops::error_code ec;
    loop.close(ec);
    BOOST_TEST(!ec);
}

BOOST_AUTO_TEST_CASE(io_objects_survive_the_close_of_their_loop)
{
    auto loop = std::make_unique<event_loop>();
    asio::steady_timer timer(*loop, std::chrono::hours(1));
    bool called = false;
    timer.async_wait([&](const loops::error_code&) { called = true; });
    loop->close();
    timer.cancel();
    timer.expires_after(std::chrono::seconds(0));
    timer.async_wait([&](const loops::error_code&) { called = true; });
    BOOST_TEST(!called);
}

BOOST_AUTO_TEST_CASE(a_running_loop_is_not_closed)
{
    event_loop loop;
    asio::post(loop, [&] {
        check_error([&] { loop.close(); }, error::already_running);
        loops::error_code ec;
        loop.close(ec);
        BOOST_TEST((ec == error::already_running));
    });
    loop.run();
    BOOST_TEST(!loop.is_closed());
}

BOOST_AUTO_TEST_CASE(exceptions_leave_run_or_go_to_the_handler)
{
    event_loop loop;
    const auto fail = [&] { asio::post(loop, [] { throw std::runtime_error("out"); }); };
    fail();
    BOOST_CHECK_THROW(loop.run(), std::runtime_error);
    BOOST_TEST(!loop.is_running());
    int handled = 0;
    loop.set_exception_handler([&](const std::exception_ptr&) { ++handled; });
    fail();
    fail();
    loop.restart();
    loop.run();
    BOOST_TEST(handled == 2);
}

BOOST_AUTO_TEST_CASE(handlers_before_an_exception_that_is_handled_are_counted)
{
    event_loop loop;
    int handled = 0;
    loop.set_exception_handler([&](const std::exception_ptr&) { ++handled; });
    const auto add = [&] {
        loop.restart();
        for (int i = 0; i < 11; ++i)
        {
            asio::post(loop, [i] {
                if (i % 5 == 4)
                    throw std::runtime_error("one of them");
            });
        }
    };
    add();
    BOOST_TEST(loop.run() == 11U);
    add();
    BOOST_TEST(loop.run_for(std::chrono::seconds(10)) == 11U);
    add();
    BOOST_TEST(loop.poll() == 11U);
    BOOST_TEST(handled == 6);
}

BOOST_AUTO_TEST_CASE(plain_runs_of_known_loops_are_found)
{
    asio::io_context known;
    asio::io_context other;
    loops::set_event_loop(known);
    int found = 0;
    asio::post(known, [&] { found += &loops::get_running_loop() == &known ? 1 : 0; });
    known.run();
    BOOST_TEST(found == 1);
    // Plain runs that nest are ambiguous: the thread's current loop wins.
    loops::run_loop_for(other, std::chrono::seconds(0)); // makes it known
    known.restart();
    other.restart();
    asio::post(known, [&] {
        asio::post(other, [&] { found += &loops::get_running_loop() == &known ? 1 : 0; });
        other.run();
    });
    known.run();
    BOOST_TEST(found == 2);
    loops::set_event_loop(nullptr);
    check_error([] { loops::get_running_loop(); }, error::no_running_event_loop, "thread '");
}

BOOST_AUTO_TEST_CASE(run_loop_records_any_loop_and_restores)
{
    asio::io_context plain;
    asio::post(plain, [&] {
        BOOST_TEST(&loops::get_event_loop() == &plain);
        check_error([&] { loops::run_loop(plain); }, error::already_running, "adopted loop");
        throw std::runtime_error("out");
    });
    BOOST_CHECK_THROW(loops::run_loop(plain), std::runtime_error);
    BOOST_TEST(loops::try_get_running_loop() == nullptr);
    plain.restart();
    asio::post(plain, [] {});
    BOOST_TEST(loops::poll_loop(plain) == 1U);
    plain.restart();
    asio::post(plain, [] {});
    BOOST_TEST(loops::run_loop_for(plain, std::chrono::seconds(1)) == 1U);
    plain.restart();
    asio::post(plain, [] {});
    const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    BOOST_TEST(loops::run_loop_until(plain, soon) == 1U);
}
