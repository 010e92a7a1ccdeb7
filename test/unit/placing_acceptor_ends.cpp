// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE placing_acceptor_ends
#include <loops/connection_limit.hpp>
#include <loops/placing_acceptor.hpp>
#include <loops/policy/pool_policy.hpp>

#include "support/connections.hpp"
#include "support/error_check.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using loops::connection_limit;
using loops::error;
using loops::error_code;
using loops::pool_policy;
using test::acceptor;
using test::acceptor_options;
using test::any_port;
using test::by;
using test::clients;
using test::door_loop;
using test::server;
using test::socket_type;
using test::tcp;

BOOST_AUTO_TEST_CASE(at_the_bound_accepting_pauses_until_a_connection_ends)
{
    const auto pool = std::make_shared<pool_policy>(2);
    door_loop door;
    const test::failing_call accepting("accept4");
    acceptor_options options = by(pool);
    options.limit = connection_limit(2);
    server it(door, options);
    clients users(it.at());
    users.connect(5);
    BOOST_TEST_REQUIRE(it.list().has(2));
    const int calls = accepting.asked();
    BOOST_TEST(calls <= 4); // each of the two may have been asked for before anybody was there
    // What is done on the acceptor's loop meanwhile is not another accept.
    for (int turns = 0; turns < 100; ++turns)
    {
        test::latch turned;
        asio::post(static_cast<loops::event_loop&>(door), [&] { turned.count_down(); });
        BOOST_TEST_REQUIRE(turned.wait());
    }
    BOOST_TEST(accepting.asked() == calls);
    BOOST_TEST(it.list().size() == 2U);
    BOOST_TEST(options.limit.in_use() == 2U);
    BOOST_TEST(options.limit.most() == 2U);
    // One ends on a thread that has nothing to do with it, one on its loop.
    auto all = it.list().take();
    std::thread([&] { all[0].place.release(); }).join();
    BOOST_TEST_REQUIRE(it.list().has(1));
    BOOST_TEST(accepting.asked() == calls + 1);
    asio::post(all[1].socket.get_executor(), [&] { auto gone = std::move(all[1].place); });
    BOOST_TEST_REQUIRE(it.list().has(2));
    BOOST_TEST(options.limit.in_use() == 2U);
    it.list().take();
    BOOST_TEST_REQUIRE(it.list().has(1));
    // The next accept has a place for as long as it finds out that nobody is there.
    BOOST_TEST(test::eventually([&] { return options.limit.in_use() == 1U; }));
    door.join();
    it.list().take();
    BOOST_TEST(options.limit.in_use() == 0U);
    test::check_error([] { connection_limit none(0); },
        make_error_code(boost::system::errc::invalid_argument), "1 or");
}

// Two ports under one bound: who has nobody at the door takes no place from who has.
BOOST_AUTO_TEST_CASE(acceptors_share_a_bound)
{
    const auto pool = std::make_shared<pool_policy>(2);
    door_loop door;
    acceptor_options options = by(pool);
    options.limit = connection_limit(1);
    server quiet(door, options);
    server busy(pool->loop(1), options);
    clients users(busy.at());
    users.connect(20);
    for (int i = 0; i < 20; ++i)
    {
        BOOST_TEST_REQUIRE(busy.list().has(1));
        BOOST_TEST(options.limit.in_use() == 1U);
        busy.list().take();
    }
    // One of them waits for the place that the other has, and is given it.
    clients others(quiet.at());
    others.connect();
    BOOST_TEST_REQUIRE(quiet.list().has(1));
    users.connect();
    quiet.list().take();
    BOOST_TEST_REQUIRE(busy.list().has(1));
    // Closed while it waits, it holds nobody up.
    others.connect(2);
    quiet.door().close();
    // Else it could take the place that is free then, for one of the two.
    BOOST_TEST_REQUIRE(test::eventually([&] { return quiet.is_over(); }));
    busy.list().take();
    users.connect();
    BOOST_TEST(busy.list().has(1));
    busy.list().take();
    pool->close();
    door.join();
}

BOOST_AUTO_TEST_CASE(accepts_are_cancelled_and_lose_no_connection)
{
    const auto pool = std::make_shared<pool_policy>(1);
    loops::event_loop loop;
    acceptor_options options = by(pool);
    options.limit = connection_limit(1);
    acceptor door(loop, any_port(), options);
    std::vector<std::string> log;
    std::vector<acceptor::socket_type> sockets;
    std::vector<loops::lease> places;
    const auto note = [&](const char* name) {
        return [&, name](error_code ec, socket_type socket, loops::lease place) {
            log.push_back(name + (ec ? ": " + std::string(ec.message()) : std::string()));
            BOOST_TEST(socket.is_open() == !ec);
            BOOST_TEST(static_cast<bool>(place) == !ec);
            if (!ec)
            {
                sockets.push_back(std::move(socket));
                places.push_back(std::move(place));
            }
        };
    };
    const auto run = [&] {
        loop.restart();
        loop.run(); // to its end: no work is left behind
        return std::exchange(log, {});
    };
    const std::string aborted = ": " + error_code(asio::error::operation_aborted).message();
    using lines = std::vector<std::string>;
    asio::cancellation_signal signal;

    // While it waits for a connection.
    door.async_accept(asio::bind_cancellation_slot(signal.slot(), note("one")));
    asio::post(loop, [&] { signal.emit(asio::cancellation_type::total); });
    BOOST_TEST(run() == lines({"one" + aborted}));

    // One of two; the other gets the connection.
    clients users(door.local_endpoint());
    door.async_accept(asio::bind_cancellation_slot(signal.slot(), note("two")));
    door.async_accept(note("three"));
    asio::post(loop, [&] {
        signal.emit(asio::cancellation_type::partial);
        BOOST_TEST(log.empty()); // not inside of the call
        users.connect();
    });
    BOOST_TEST(run() == lines({"two" + aborted, "three"}));

    // While it waits for a place.
    users.connect();
    door.async_accept(asio::bind_cancellation_slot(signal.slot(), note("four")));
    asio::post(
        loop, [&] { asio::post(loop, [&] { signal.emit(asio::cancellation_type::terminal); }); });
    BOOST_TEST(run() == lines({"four" + aborted}));
    door.async_accept(note("five"));
    door.async_accept(note("six"));
    door.cancel();
    BOOST_TEST(run() == lines({"five" + aborted, "six" + aborted}));
    // The place comes free when nobody waits any more, and is there for the next.
    places.clear();
    BOOST_TEST(options.limit.in_use() == 0U);
    door.async_accept(note("seven"));
    BOOST_TEST(run() == lines({"seven"}));

    // A place may be on its way when the acceptor is closed; whoever was first wins.
    users.connect();
    door.async_accept(note("eight"));
    asio::post(loop, [&] {
        asio::post(loop, [&] {
            places.clear();
            door.close();
        });
    });
    const lines last = run();
    BOOST_TEST((last == lines({"eight" + aborted}) || last == lines({"eight"})));
    BOOST_TEST(options.limit.in_use() == places.size());
    door.async_accept(note("nine"));
    BOOST_TEST(run() == lines({"nine: " + error_code(asio::error::bad_descriptor).message()}));
    // The backlog went with the socket.
    error_code ec;
    asio::io_context mine;
    tcp::socket late(mine);
    late.connect(door.local_endpoint(), ec);
    BOOST_TEST((ec == asio::error::connection_refused));
}

BOOST_AUTO_TEST_CASE(errors_of_one_connection_pass_and_those_of_the_system_are_told)
{
    const auto pool = std::make_shared<pool_policy>(1);
    {
        door_loop door;
        const test::failing_call aborted("accept4", ECONNABORTED, 3);
        server it(door, by(pool));
        clients users(it.at());
        users.connect();
        BOOST_TEST(it.list().has(1));
        BOOST_TEST(it.errors().empty());
        door.join();
    }
    {
        door_loop door;
        const test::failing_call full("accept4", EMFILE, 2);
        acceptor_options options = by(pool);
        options.limit = connection_limit(1);
        server it(door, options);
        clients users(it.at());
        users.connect();
        BOOST_TEST(it.list().has(1)); // and still no more than one place is taken
        door.join();
        BOOST_TEST(
            (it.errors() == std::vector<error_code>(2, error_code(asio::error::no_descriptors))));
    }
}

BOOST_AUTO_TEST_CASE(what_the_policy_refuses_is_told_and_closed)
{
    door_loop door;
    const auto pool = std::make_shared<pool_policy>(2);
    const auto expect_refusal = [](server& it, clients& users, error_code code) {
        const std::size_t before = it.errors().size();
        tcp::socket& user = users.connect();
        BOOST_TEST(test::eventually([&] { return it.errors().size() > before; }));
        BOOST_TEST((it.errors().back() == code), it.errors().back().message());
        char byte = 0;
        error_code ec;
        user.read_some(asio::buffer(&byte, 1), ec);
        BOOST_TEST((ec == asio::error::eof));
    };
    acceptor_options options = by(pool);
    options.limit = connection_limit(1);
    server it(door, options);
    clients users(it.at());
    pool->start();
    pool->stop();
    expect_refusal(it, users, error::policy_closed);
    pool->close();
    expect_refusal(it, users, error::policy_closed);
    // The next accept has a place for as long as it finds out that nobody is there.
    BOOST_TEST(test::eventually([&] { return options.limit.in_use() == 0U; }));
    {
        server without(door, by(std::make_shared<pool_policy>(1))); // which is gone
        clients more(without.at());
        expect_refusal(without, more, error::policy_closed);
        test::latch closed;
        without.door().close();
        asio::post(static_cast<loops::event_loop&>(door), [&] { closed.count_down(); });
        BOOST_TEST(closed.wait());
    }
    door.join();

    // What is no system_error leaves a handler of the acceptor's loop.
    loops::event_loop loop;
    const auto odd = std::make_shared<pool_policy>(1,
        loops::chooser("odd", [](const loops::pool_view&, const loops::selection&) -> std::size_t {
            throw std::runtime_error("thrown by a chooser");
        }));
    acceptor throwing(loop, any_port(), by(odd));
    std::optional<error_code> ended;
    throwing.async_accept(
        [&](error_code ec, const socket_type&, const loops::lease&) { ended = ec; });
    clients others(throwing.local_endpoint());
    others.connect();
    BOOST_CHECK_THROW(loop.run(), std::runtime_error);
    loop.run();
    BOOST_TEST((ended == error_code(boost::system::errc::state_not_recoverable,
                             boost::system::generic_category())));
}

// Connections come all the time, to a loop of the pool's own, when that is closed.
BOOST_AUTO_TEST_CASE(a_policy_is_closed_while_one_accepts)
{
    for (int round = 0; round < 20; ++round)
    {
        const auto pool = std::make_shared<pool_policy>(3);
        acceptor_options options = by(pool);
        options.limit = connection_limit(5);
        {
            acceptor door(pool->loop(static_cast<std::size_t>(round) % 3), any_port(), options);
            std::atomic<int> served{0};
            std::function<void()> accept = [&] {
                door.async_accept([&](error_code ec, socket_type socket, loops::lease place) {
                    if (ec && ec != error::policy_closed)
                        return;
                    ++served;
                    const auto executor = ec ? door.get_executor() : socket.get_executor();
                    asio::post(executor, [socket = std::move(socket), place = std::move(place)] {});
                    accept();
                });
            };
            accept();
            std::atomic<bool> over{false};
            std::thread users([&, at = door.local_endpoint()] {
                asio::io_context mine;
                while (!over)
                {
                    error_code ec;
                    tcp::socket user(mine);
                    user.connect(at, ec);
                    user.set_option(asio::socket_base::linger(true, 0), ec);
                }
            });
            BOOST_TEST(test::eventually([&] { return served > 20; }));
            pool->close();
            over = true;
            users.join();
        }
        BOOST_TEST(options.limit.in_use() == 0U);
    }
}
