// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE listening_group
#include <loops/listening_group.hpp>

#include "support/connections.hpp"
#include "support/error_check.hpp"
#include "support/log_capture.hpp"
#include "support/skipped.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sched.h>
#include <sys/socket.h>

namespace asio = boost::asio;
using loops::connection_limit;
using loops::connection_steering;
using loops::listening_group;
using loops::listening_options;
using loops::pool_policy;
using test::any_port;
using test::clients;
using test::tcp;

namespace {

using socket_type = listening_group<>::socket_type;

std::shared_ptr<pool_policy> make_pool(
    std::size_t threads, loops::pinning pin = loops::pinning::none)
{
    loops::pool_options options;
    options.threads = threads;
    options.pin = pin;
    return std::make_shared<pool_policy>(options);
}

// The pool's loop that a connection is on; none where socket and lease differ.
template <class Connection>
std::optional<std::size_t> index_of(pool_policy& pool, Connection& it)
{
    for (std::size_t i = 0; i < pool.size(); ++i)
    {
        if (&it.socket.get_executor().context() == &pool.loop(i) &&
            &it.place.get_event_loop() == &pool.loop(i))
            return i;
    }
    return std::nullopt;
}

auto keep_in(test::accepted_list<socket_type>& list, std::atomic<int>& elsewhere)
{
    return [&](socket_type socket, loops::lease place) {
        elsewhere += loops::try_get_running_loop() == &place.get_event_loop() ? 0 : 1;
        list.add(std::move(socket), std::move(place));
    };
}

std::vector<unsigned> allowed_cpus()
{
    std::vector<unsigned> all;
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof set, &set) == 0)
        for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(cpu, &set))
                all.push_back(cpu);
    return all;
}

// Has the calling thread, whose packets to loopback are received where they are sent, run on one
// CPU while this lives.
class on_cpu
{
public:
    explicit on_cpu(unsigned cpu)
    {
        ::sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        BOOST_TEST_REQUIRE(::sched_setaffinity(0, sizeof set, &set) == 0);
    }
    on_cpu(const on_cpu&) = delete;
    on_cpu& operator=(const on_cpu&) = delete;
    ~on_cpu() { ::sched_setaffinity(0, sizeof before_, &before_); }

private:
    cpu_set_t before_{};
};

unsigned incoming_cpu(socket_type& socket)
{
    int cpu = -1;
    socklen_t size = sizeof cpu;
    ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_INCOMING_CPU, &cpu, &size);
    return static_cast<unsigned>(cpu);
}

bool says(const std::string& text, const std::string& word)
{
    return text.find(word) != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_loop_accepts_for_itself)
{
    const auto pool = make_pool(3);
    test::accepted_list<socket_type> list;
    std::atomic<int> elsewhere{0};
    listening_group<> group(*pool, any_port());
    BOOST_TEST(group.size() == 3U);
    BOOST_TEST((group.steering() == connection_steering::hash));
    BOOST_TEST(says(group.describe(), "pin"), group.describe());
    for (std::size_t i = 0; i < 3; ++i)
        BOOST_TEST(group.acceptor(i).local_endpoint() == group.local_endpoint());
    group.start(keep_in(list, elsewhere));

    // A hash leaves none of three out for long.
    clients users(group.local_endpoint());
    std::vector<test::accepted_list<socket_type>::connection> all;
    std::vector<std::int64_t> count(3);
    while (*std::min_element(count.begin(), count.end()) == 0 && users.size() < 1000)
    {
        users.connect();
        BOOST_TEST_REQUIRE(list.has(1));
        for (auto& each : list.take())
        {
            const auto index = index_of(*pool, each);
            BOOST_TEST_REQUIRE(index.has_value());
            ++count[*index];
            all.push_back(std::move(each));
        }
    }
    for (std::size_t i = 0; i < 3; ++i)
    {
        BOOST_TEST(count[i] > 0);
        BOOST_TEST(loops::load_of(pool->loop(i)) == count[i]);
    }
    BOOST_TEST(elsewhere == 0);
    all.clear();
    for (std::size_t i = 0; i < 3; ++i)
        BOOST_TEST(loops::load_of(pool->loop(i)) == 0);

    // Closed, it lets the pool end.
    pool->on_drain([&] { group.close(); });
    BOOST_TEST(pool->drain(test::patience).complete);
    pool->close();
}

BOOST_AUTO_TEST_CASE(connections_go_to_the_loop_of_their_cpu)
{
    const std::vector<unsigned> cpus = allowed_cpus();
    const char* const name = "listening_group/connections_go_to_the_loop_of_their_cpu";
    if (cpus.size() < 2)
        return test::skipped(name, "one CPU");
    // A loop a CPU, fewer loops than CPUs, and several on some.
    for (const std::size_t loops : {cpus.size(), cpus.size() - 1, cpus.size() + 1, 3 * cpus.size()})
    {
        const auto pool = make_pool(loops, loops::pinning::compact);
        test::accepted_list<socket_type> list;
        std::atomic<int> elsewhere{0};
        listening_group<> group(*pool, any_port());
        if (group.steering() != connection_steering::cpu)
            return test::skipped(name, group.describe());
        BOOST_TEST(says(group.describe(), "CPU " + std::to_string(cpus[0])), group.describe());
        group.start(keep_in(list, elsewhere));
        int checked = 0;
        for (const unsigned cpu : cpus)
        {
            const on_cpu here(cpu);
            clients users(group.local_endpoint());
            users.connect(20);
            BOOST_TEST_REQUIRE(list.has(20));
            bool has_loop = false;
            for (std::size_t i = 0; i < loops; ++i)
                has_loop = has_loop || pool->cpu(i) == cpu;
            for (auto& each : list.take())
            {
                const auto index = index_of(*pool, each);
                BOOST_TEST_REQUIRE(index.has_value());
                if (incoming_cpu(each.socket) != cpu)
                    continue; // received elsewhere than it was sent
                ++checked;
                if (has_loop)
                    BOOST_TEST((pool->cpu(*index) == cpu));
            }
        }
        BOOST_TEST(checked > 0);
        BOOST_TEST(elsewhere == 0);
        pool->close();
    }
}

BOOST_AUTO_TEST_CASE(loops_that_share_a_cpu_share_its_connections)
{
    const auto pool = [] {
        const on_cpu one(allowed_cpus().back());
        auto made = make_pool(3, loops::pinning::compact);
        made->start();
        return made;
    }();
    const unsigned cpu = allowed_cpus().back();
    for (std::size_t i = 0; i < 3; ++i)
        BOOST_TEST_REQUIRE((pool->cpu(i) == cpu));
    test::accepted_list<socket_type> list;
    std::atomic<int> elsewhere{0};
    listening_group<> group(*pool, any_port());
    group.start(keep_in(list, elsewhere));
    const on_cpu here(cpu);
    clients users(group.local_endpoint());
    std::vector<bool> seen(3);
    while (std::count(seen.begin(), seen.end(), true) < 3 && users.size() < 1000)
    {
        users.connect();
        BOOST_TEST_REQUIRE(list.has(1));
        for (auto& each : list.take())
            seen[index_of(*pool, each).value()] = true;
    }
    BOOST_TEST(std::count(seen.begin(), seen.end(), true) == 3);
    pool->close();
}

// No steering to be had: said, and served all the same.
BOOST_AUTO_TEST_CASE(a_refused_steering_is_said)
{
    const auto pool = make_pool(2, loops::pinning::compact);
    const test::failing_call refused("reuseport_cbpf", EPERM, 1);
    test::accepted_list<socket_type> list;
    std::atomic<int> elsewhere{0};
    listening_group<> group(*pool, any_port());
    BOOST_TEST((group.steering() == connection_steering::hash));
    BOOST_TEST(says(group.describe(), "refused"), group.describe());
    group.start(keep_in(list, elsewhere));
    clients users(group.local_endpoint());
    users.connect(4);
    BOOST_TEST(list.has(4));
    list.take();
    pool->close();
}

BOOST_AUTO_TEST_CASE(all_sockets_open_or_none)
{
    const auto pool = make_pool(3);
    // A free port, taken by one who does not share it.
    asio::io_context mine;
    tcp::acceptor alone(mine, any_port());
    const tcp::endpoint taken = alone.local_endpoint();
    test::check_error(
        [&] { listening_group<>(*pool, taken); }, asio::error::address_in_use, "none is open");
    alone.close();
    for (const char* call : {"socket", "listen"})
    {
        int made = 0;
        for (;; ++made)
        {
            // Fails at each of the calls in turn.
            static int before = 0;
            static const char* name = nullptr;
            before = made;
            name = call;
            loops::detail::fault_hook = [](const char* asked) {
                return std::strcmp(asked, name) == 0 && before-- == 0 ? EMFILE : 0;
            };
            const auto code = test::error_of([&] { listening_group<>(*pool, taken); });
            loops::detail::fault_hook = nullptr;
            if (!code)
                break;
            BOOST_TEST((code == asio::error::no_descriptors));
            // The port is free for one who wants it for himself.
            tcp::acceptor after(mine, taken);
        }
        BOOST_TEST(made == 3);
        BOOST_TEST(
            test::eventually([&] { return !test::error_of([&] { tcp::acceptor(mine, taken); }); }));
    }
    pool->close();
    test::check_error([&] { listening_group<>(*pool, taken); }, loops::error::policy_closed);
}

BOOST_AUTO_TEST_CASE(the_bound_is_the_groups)
{
    const auto pool = make_pool(3);
    listening_options options;
    options.limit = connection_limit(4);
    options.weight = 2;
    test::accepted_list<socket_type> list;
    std::atomic<int> elsewhere{0};
    listening_group<> group(*pool, any_port(), options);
    group.start(keep_in(list, elsewhere));
    clients users(group.local_endpoint());
    users.connect(24);
    std::size_t served = 0;
    while (served < 24)
    {
        BOOST_TEST_REQUIRE(list.has(std::min<std::size_t>(4, 24 - served)));
        BOOST_TEST(options.limit.in_use() <= 4U);
        const auto all = list.take();
        BOOST_TEST(all.size() <= 4U);
        served += all.size();
        for (const auto& each : all)
            BOOST_TEST(each.place.weight() == 2);
    }
    BOOST_TEST(test::eventually([&] { return options.limit.in_use() == 0; }));
    BOOST_TEST(elsewhere == 0);
    pool->close(); // before the group is
}

BOOST_AUTO_TEST_CASE(it_goes_on_after_errors_and_exceptions)
{
    const auto pool = make_pool(1);
    std::atomic<int> thrown{0};
    pool->on_exception(loops::exception_action::call([&](const std::exception_ptr&) { ++thrown; }));
    std::atomic<int> served{0};
    const test::log_capture log;
    {
        const test::failing_call full("accept4", EMFILE, 1);
        listening_group<> group(*pool, any_port());
        group.start([&](tcp::socket, const loops::lease&) { // a plain one
            if (++served == 1)
                throw std::runtime_error("thrown by a handler");
        });
        clients users(group.local_endpoint());
        users.connect(3);
        BOOST_TEST(test::eventually([&] { return served == 3; }));
    }
    BOOST_TEST(thrown == 1);
    BOOST_TEST(says(log.said(), "could not accept"), log.said());
    BOOST_TEST(says(log.said(), "'pool-0'"), log.said());
    pool->close();
}

BOOST_AUTO_TEST_CASE(acceptors_can_be_used_one_by_one_and_with_beast)
{
    namespace http = boost::beast::http;
    const auto pool = make_pool(2);
    listening_group<tcp, loops::on_strand> group(*pool, any_port());
    using strand = asio::strand<asio::io_context::executor_type>;
    using stream = boost::beast::basic_stream<tcp, strand>;
    struct session
    {
        session(loops::lease where, stream::socket_type socket)
            : place(std::move(where)), talk(std::move(socket))
        {}

        loops::lease place;
        stream talk;
        boost::beast::flat_buffer buffer;
        http::request<http::empty_body> asked;
        http::response<http::empty_body> made{http::status::no_content, 11};
    };
    std::atomic<int> right{0};
    for (std::size_t i = 0; i < group.size(); ++i)
        group.acceptor(i).async_accept(
            [&, i](loops::error_code ec, auto socket, loops::lease place) {
                right += !ec && &place.get_event_loop() == &pool->loop(i) &&
                         loops::try_get_running_loop() == &pool->loop(i);
                const std::shared_ptr<session> it(new session(std::move(place), std::move(socket)));
                http::async_read(
                    it->talk, it->buffer, it->asked, [it](loops::error_code failed, std::size_t) {
                        if (!failed)
                            http::async_write(
                                it->talk, it->made, [it](loops::error_code, std::size_t) {});
                    });
            });
    clients users(group.local_endpoint());
    users.connect();
    http::request<http::empty_body> ask{http::verb::get, "/", 11};
    boost::beast::flat_buffer buffer;
    http::response<http::empty_body> got;
    http::write(users[0], ask);
    http::read(users[0], buffer, got);
    BOOST_TEST(got.result_int() == 204U);
    BOOST_TEST(right == 1);
    group.close();
    pool->close();
}
