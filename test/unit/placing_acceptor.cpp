// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE placing_acceptor
#include <loops/placing_acceptor.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/run.hpp>

#include "support/connections.hpp"
#include "support/error_check.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

namespace asio = boost::asio;
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

BOOST_AUTO_TEST_CASE(the_policy_sees_each_connection_and_its_choice_gets_it)
{
    std::mutex mutex;
    std::vector<loops::selection> asked;
    const auto pool = std::make_shared<pool_policy>(
        3, loops::chooser("mine", [&](const loops::pool_view&, const loops::selection& what) {
            const std::lock_guard lock(mutex);
            asked.push_back(what);
            return asked.size() % 3;
        }));
    acceptor_options options = by(pool);
    options.weight = 5;
    server it(pool->loop(0), options);
    clients users(it.at());
    users.connect(6);
    BOOST_TEST_REQUIRE(it.list().has(6));
    for (const loops::selection& each : asked)
    {
        BOOST_TEST((each.key == loops::peer_key(it.at())));
        BOOST_TEST((each.key == asked.front().key));
#if defined(SO_INCOMING_CPU)
        BOOST_TEST(each.cpu.has_value());
#endif
    }
    auto all = it.list().take();
    for (std::size_t i = 0; i < 3; ++i)
        BOOST_TEST(loops::load_of(pool->loop(i)) == 10);
    for (auto& each : all)
        BOOST_TEST((&each.socket.get_executor().context() == &each.place.get_event_loop()));
    all.clear();
    for (std::size_t i = 0; i < 3; ++i)
        BOOST_TEST(loops::load_of(pool->loop(i)) == 0);
    pool->close(); // before the acceptor on its loop is destroyed
}

BOOST_AUTO_TEST_CASE(keys_are_the_users_to_choose)
{
    std::atomic<int> keyless{0};
    const auto pool = std::make_shared<pool_policy>(
        2, loops::chooser("mine", [&](const loops::pool_view&, const loops::selection& what) {
            keyless += what.key ? 0 : 1;
            return static_cast<std::size_t>(what.key.value_or(0) % 2);
        }));
    door_loop door;
    acceptor_options options = by(pool);
    options.key = [](const tcp::endpoint& peer) { return peer.port(); };
    server it(door, options);
    clients users(it.at());
    users.connect(8);
    BOOST_TEST_REQUIRE(it.list().has(8));
    for (auto& each : it.list().take())
        BOOST_TEST((
            &each.place.get_event_loop() == &pool->loop(each.socket.remote_endpoint().port() % 2)));
    BOOST_TEST(keyless == 0);

    options.key = nullptr;
    server other(door, options);
    clients more(other.at());
    more.connect(2);
    BOOST_TEST(other.list().has(2));
    BOOST_TEST(keyless == 2);
    door.join();
}

BOOST_AUTO_TEST_CASE(peer_keys_are_of_addresses)
{
    using asio::ip::make_address;
    const auto key = [](const char* address, unsigned short port) {
        return *loops::peer_key(tcp::endpoint(make_address(address), port));
    };
    BOOST_TEST(key("10.1.2.3", 1) == key("10.1.2.3", 2));
    BOOST_TEST(key("10.1.2.3", 1) == key("::ffff:10.1.2.3", 1));
    BOOST_TEST(key("2001:db8::1", 1) == key("2001:db8::1", 9));
    const std::set<std::uint64_t> all{key("10.1.2.3", 1), key("10.1.2.4", 1), key("10.2.2.3", 1),
        key("2001:db8::1", 1), key("2001:db8::2", 1), key("2001:db8:1::1", 1), key("::", 1)};
    BOOST_TEST(all.size() == 7U);
    BOOST_TEST(!loops::peer_key(asio::local::stream_protocol::endpoint("/nowhere")).has_value());
}

// Nobody says how the connections are placed: the policy of the process does, from one to the next.
BOOST_AUTO_TEST_CASE(the_process_changes_its_policy_while_one_accepts)
{
    const auto first = std::make_shared<pool_policy>(2);
    const auto second = std::make_shared<pool_policy>(2);
    door_loop door;
    server it(door);
    clients users(it.at());
    for (const auto& pool : {first, second})
    {
        loops::set_event_loop_policy(pool);
        users.connect(4);
        BOOST_TEST_REQUIRE(it.list().has(4));
        for (auto& each : it.list().take())
            BOOST_TEST((&each.place.get_event_loop() == &pool->loop(0) ||
                        &each.place.get_event_loop() == &pool->loop(1)));
    }
    loops::set_event_loop_policy(nullptr);
    door.join();
}

BOOST_AUTO_TEST_CASE(sockets_of_other_kinds)
{
    const std::string path = "/tmp/loops-placing-" + std::to_string(::getpid());
    using local = asio::local::stream_protocol;
    ::unlink(path.c_str());
    loops::event_loop loop;
    loops::placing_options<local> options;
    options.policy = std::make_shared<loops::default_policy>();
    options.policy->set_event_loop(&loop);
    loops::placing_acceptor<local, loops::on_strand> door(loop, local::endpoint(path), options);
    std::string got;
    door.async_accept([&](error_code ec, auto socket, const loops::lease& place) {
        BOOST_TEST(!ec);
        static_assert(std::is_same_v<decltype(socket),
            asio::basic_stream_socket<local, asio::strand<asio::io_context::executor_type>>>);
        BOOST_TEST((&place.get_event_loop() == &loop));
        char text[2] = {};
        got.assign(text, socket.read_some(asio::buffer(text)));
    });
    asio::io_context mine;
    local::socket user(mine);
    user.connect(local::endpoint(path));
    asio::write(user, asio::buffer("ok", 2));
    loop.run();
    BOOST_TEST(got == "ok");
    ::unlink(path.c_str());

    tcp::acceptor plain(loop, any_port());
    plain.set_option(asio::socket_base::receive_buffer_size(8192));
    const auto at = plain.local_endpoint();
    acceptor taken(std::move(plain), by(options.policy));
    BOOST_TEST(taken.local_endpoint() == at);
    test::check_error(
        [&] {
            asio::thread_pool threads(1);
            acceptor(tcp::acceptor(threads, any_port()));
        },
        make_error_code(boost::system::errc::invalid_argument), "executor");
    // In use.
    test::check_error([&] { acceptor(loop, at); }, asio::error::address_in_use, "listens");
    loop.close();
    test::check_error([&] { acceptor(loop, any_port()); }, error::loop_closed);
}

BOOST_AUTO_TEST_CASE(beast_serves_on_strands_of_the_loops)
{
    namespace http = boost::beast::http;
    using strand = asio::strand<asio::io_context::executor_type>;
    using stream = boost::beast::basic_stream<tcp, strand>;
    struct session : std::enable_shared_from_this<session>
    {
        session(tcp::socket::rebind_executor<strand>::other socket, loops::lease where)
            : place(std::move(where)), talk(std::move(socket))
        {}
        void start()
        {
            asio::dispatch(talk.get_executor(), [self = shared_from_this()] {
                self->talk.expires_after(test::patience);
                http::async_read(
                    self->talk, self->buffer, self->asked, [self](error_code ec, std::size_t) {
                        if (!ec)
                            self->answer();
                    });
            });
        }
        void answer()
        {
            made.body() = &loops::get_running_loop() == &place.get_event_loop() ? "home" : "lost";
            made.prepare_payload();
            http::async_write(talk, made, [self = shared_from_this()](error_code, std::size_t) {});
        }
        loops::lease place;
        stream talk;
        boost::beast::flat_buffer buffer;
        http::request<http::string_body> asked;
        http::response<http::string_body> made{http::status::ok, 11};
    };
    const auto pool = std::make_shared<pool_policy>(2);
    loops::placing_acceptor<tcp, loops::on_strand> door(pool->loop(0), any_port(), by(pool));
    std::function<void()> accept = [&] {
        door.async_accept([&](error_code ec, auto socket, loops::lease place) {
            if (ec)
                return;
            std::make_shared<session>(std::move(socket), std::move(place))->start();
            accept();
        });
    };
    accept();
    clients users(door.local_endpoint());
    for (int i = 0; i < 4; ++i)
    {
        tcp::socket& user = users.connect();
        http::request<http::string_body> ask{http::verb::get, "/", 11};
        ask.set(http::field::host, "here");
        http::write(user, ask);
        boost::beast::flat_buffer buffer;
        http::response<http::string_body> got;
        http::read(user, buffer, got);
        BOOST_TEST(got.body() == "home");
    }
    pool->close();
}

// Not inside of the call, on the handler's executor, and not at all once the loop is gone.
BOOST_AUTO_TEST_CASE(completions_are_where_the_handler_wants_them)
{
    loops::event_loop loop;
    const auto policy = std::make_shared<loops::default_policy>();
    policy->set_event_loop(&loop);
    acceptor door(loop, any_port(), by(policy));
    clients users(door.local_endpoint());
    users.connect(3);
    asio::thread_pool elsewhere(1);
    std::thread::id at;
    std::thread::id there;
    bool is_accepted = false;
    asio::post(elsewhere, [&] { there = std::this_thread::get_id(); });
    auto future = door.async_accept(asio::use_future);
    bool inside = true;
    asio::post(loop, [&] {
        door.async_accept([&](error_code ec, const socket_type&, const loops::lease&) {
            BOOST_TEST(!ec);
            BOOST_TEST(!inside);
            BOOST_TEST(loop.get_executor().running_in_this_thread());
        });
        inside = false;
    });
    door.async_accept(asio::bind_executor(
        elsewhere, [&](error_code ec, const socket_type& socket, const loops::lease&) {
            at = std::this_thread::get_id();
            is_accepted = !ec && socket.is_open(); // told below: two threads must not
        }));
    loop.run();
    elsewhere.join();
    BOOST_TEST((at == there));
    BOOST_TEST(is_accepted);
    BOOST_TEST(std::get<0>(future.get()).is_open());

    auto owned = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = owned;
    door.async_accept([owned = std::move(owned)](error_code, const socket_type&,
                          const loops::lease&) { BOOST_ERROR("called"); });
    loop.close();
    BOOST_TEST(watched.expired());
    door.cancel();
    door.close();
    test::check_error([&] { door.async_accept(asio::use_future); }, error::loop_closed);
}

#if defined(LOOPS_HAS_COROUTINES)
BOOST_AUTO_TEST_CASE(a_coroutine_accepts)
{
    loops::event_loop loop; // which a thread of the pool lets go of after the completion
    const auto pool = std::make_shared<pool_policy>(2);
    acceptor door(loop, any_port(), by(pool));
    clients users(door.local_endpoint());
    users.connect();
    asio::write(users[0], asio::buffer("hi", 2));
    std::string got;
    loops::run_loop(loop);
    loop.restart();
    loop.run_until_complete([&]() -> asio::awaitable<void> {
        auto [socket, place] = co_await door.async_accept(asio::use_awaitable);
        char text[2] = {};
        got.assign(text, co_await socket.async_read_some(asio::buffer(text), asio::use_awaitable));
        BOOST_TEST((&socket.get_executor().context() == &place.get_event_loop()));
    }());
    BOOST_TEST(got == "hi");
}
#endif
