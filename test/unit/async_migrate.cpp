// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE async_migrate
#include <loops/async_migrate.hpp>
#include <loops/event_loop.hpp>
#include <loops/policy/pool_policy.hpp>

#include "support/connections.hpp"
#include "support/error_check.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using loops::error;
using loops::error_code;
using loops::event_loop;
using loops::pool_policy;
using test::tcp;

namespace {

using plain = asio::io_context::executor_type;
using strand = asio::strand<plain>;
template <class Executor>
using tcp_on = asio::basic_stream_socket<tcp, Executor>;

// A TCP connection: the one end on `loop`, the other a plain blocking socket.
template <class Executor>
struct connection
{
    explicit connection(const Executor& executor) : user(mine), socket(executor)
    {
        tcp::acceptor door(mine, test::any_port());
        user.connect(door.local_endpoint());
        door.accept(socket);
    }

    asio::io_context mine;
    tcp::socket user;
    tcp_on<Executor> socket;
};

template <class Executor>
connection(Executor) -> connection<Executor>;

constexpr int moves = 200;
constexpr std::size_t part = 20000; // of the stream, for each move
constexpr std::size_t total = moves * part;

char byte_at(std::size_t position)
{
    return static_cast<char>((position * 2654435761U) >> 13);
}

// One end of a stream that is under way in both directions, and on its way from loop to loop.
// Whatever it does, it does on the loop that it is on.
template <class Socket>
class wanderer : public std::enable_shared_from_this<wanderer<Socket>>
{
public:
    wanderer(Socket socket, std::vector<asio::io_context*> homes)
        : socket_(std::move(socket)), homes_(std::move(homes))
    {}

    void start()
    {
        asio::post(socket_.get_executor(), [self = this->shared_from_this()] { self->settle(); });
    }

    std::atomic<bool> wrong{false};
    std::atomic<int> moved{0};
    std::atomic<int> cut_short{0};
    std::atomic<std::size_t> read{0};
    std::atomic<std::size_t> written{0};
    test::latch over;

private:
    void settle()
    {
        moving_ = is_gone_ = false;
        read_some();
        write_some();
        plan();
    }

    // Moves once for each part that was read, with the next read and a write under way.
    void plan()
    {
        if (!moving_ && moved < moves && read >= static_cast<std::size_t>(moved + 1) * part)
        {
            moving_ = true;
            asio::post(socket_.get_executor(), [self = this->shared_from_this()] { self->move(); });
        }
    }

    void move()
    {
        is_gone_ = true;
        const std::size_t next = static_cast<std::size_t>(moved + 1) % homes_.size();
        loops::async_migrate(std::move(socket_), *homes_[next],
            [self = this->shared_from_this()](error_code ec, Socket socket) {
                // Both have been heard before.
                self->wrong = self->wrong || ec || self->is_reading_ || self->is_writing_;
                self->socket_ = std::move(socket);
                ++self->moved;
                self->settle();
            });
    }

    void read_some()
    {
        if (read == total)
            return;
        is_reading_ = true;
        socket_.async_read_some(
            asio::buffer(in_), asio::bind_executor(socket_.get_executor(),
                                   [self = this->shared_from_this()](error_code ec,
                                       std::size_t size) { self->on_read(ec, size); }));
    }

    void on_read(error_code ec, std::size_t size)
    {
        is_reading_ = false;
        for (std::size_t i = 0; i < size; ++i)
            wrong = wrong || in_[i] != byte_at(read + i);
        read += size;
        if (is_gone_)
            cut_short += ec == asio::error::operation_aborted;
        else if (ec)
            wrong = true;
        else
            read_some();
        if (!is_gone_)
            plan();
        check_end();
    }

    void write_some()
    {
        if (written == total)
            return;
        is_writing_ = true;
        const std::size_t size = std::min(out_.size(), total - written);
        for (std::size_t i = 0; i < size; ++i)
            out_[i] = byte_at(written + i);
        socket_.async_write_some(asio::buffer(out_.data(), size),
            asio::bind_executor(
                socket_.get_executor(), [self = this->shared_from_this()](error_code ec,
                                            std::size_t done) { self->on_write(ec, done); }));
    }

    void on_write(error_code ec, std::size_t size)
    {
        is_writing_ = false;
        written += size;
        if (is_gone_)
            cut_short += ec == asio::error::operation_aborted;
        else if (ec)
            wrong = true;
        else
            write_some();
        check_end();
    }

    void check_end()
    {
        if (read == total && written == total)
            over.count_down();
    }

    Socket socket_;
    const std::vector<asio::io_context*> homes_;
    bool moving_ = false;  // decided on
    bool is_gone_ = false; // from the old loop
    bool is_reading_ = false;
    bool is_writing_ = false;
    std::array<char, 1500> in_{};
    std::array<char, 4000> out_{};
};

// The peer writes a part, and reads one, for each move: the wanderer's read finds nothing when it
// moves, and its write finds no room once the buffers between them are full.
template <class Socket>
void check_stream(Socket socket, asio::basic_stream_socket<typename Socket::protocol_type>& user,
    const std::vector<asio::io_context*>& homes)
{
    user.set_option(asio::socket_base::receive_buffer_size(200000));
    socket.set_option(asio::socket_base::send_buffer_size(200000));
    const auto it = std::make_shared<wanderer<Socket>>(std::move(socket), homes);
    it->start();
    std::vector<char> bytes(part);
    bool wrong = false;
    const auto read = [&](std::size_t begin) {
        asio::read(user, asio::buffer(bytes));
        for (std::size_t i = 0; i < part; ++i)
            wrong = wrong || bytes[i] != byte_at(begin + i);
    };
    std::size_t got = 0;
    for (int i = 0; i < moves; ++i)
    {
        for (std::size_t at = 0; at < part; ++at)
            bytes[at] = byte_at(static_cast<std::size_t>(i) * part + at);
        asio::write(user, asio::buffer(bytes));
        BOOST_TEST_REQUIRE(test::eventually([&] { return it->moved > i || it->wrong; }));
        if (i >= moves / 2) // the buffers have been full for long
        {
            read(got);
            got += part;
        }
    }
    for (; got < total; got += part)
        read(got);
    BOOST_TEST(it->over.wait());
    BOOST_TEST(!wrong);
    BOOST_TEST(!it->wrong);
    BOOST_TEST(it->moved == moves);
    BOOST_TEST(it->read == total);
    BOOST_TEST(it->written == total);
    BOOST_TEST(it->cut_short >= moves); // the reads, and writes as well
    BOOST_TEST_MESSAGE(it->cut_short << " operations were cut short by " << moves << " moves");
}

} // namespace

BOOST_AUTO_TEST_CASE(a_stream_under_way_loses_nothing_while_it_moves)
{
    const auto pool = std::make_shared<pool_policy>(3);
    const std::vector<asio::io_context*> homes{&pool->loop(0), &pool->loop(1), &pool->loop(2)};
    {
        connection it(pool->loop(0).get_executor());
        check_stream(std::move(it.socket), it.user, homes);
    }
    {
        connection it(asio::any_io_executor(asio::make_strand(pool->loop(0))));
        check_stream(std::move(it.socket), it.user, homes);
    }
    {
        using local = asio::local::stream_protocol;
        asio::io_context mine;
        asio::basic_stream_socket<local> user(mine);
        asio::basic_stream_socket<local, strand> socket(asio::make_strand(pool->loop(0)));
        asio::local::connect_pair(user, socket);
        check_stream(std::move(socket), user, homes);
    }
    pool->close();
}

BOOST_AUTO_TEST_CASE(the_kind_of_executor_and_the_mode_stay)
{
    event_loop from;
    event_loop to;
    const auto check = [&](auto executor, auto is_right) {
        connection it(executor);
        it.socket.non_blocking(true);
        bool ended = false;
        loops::async_migrate(std::move(it.socket), to, [&](error_code ec, auto socket) {
            BOOST_TEST(!ec);
            BOOST_TEST(&loops::get_running_loop() == &to);
            BOOST_TEST(is_right(socket.get_executor()));
            BOOST_TEST(socket.non_blocking());
            char byte = 0;
            socket.read_some(asio::buffer(&byte, 1), ec);
            BOOST_TEST((ec == asio::error::would_block));
            socket.non_blocking(false);
            asio::write(it.user, asio::buffer("x", 1));
            BOOST_TEST(socket.read_some(asio::buffer(&byte, 1)) == 1U);
            ended = true;
        });
        BOOST_TEST(!ended);
        from.restart();
        from.run();
        BOOST_TEST(!ended);
        to.restart();
        to.run();
        BOOST_TEST(ended);
    };
    check(from.get_executor(), [&](const plain& now) { return &now.context() == &to; });
    check(asio::make_strand(from),
        [&](const strand& now) { return &now.get_inner_executor().context() == &to; });
    check(asio::any_io_executor(from.get_executor()),
        [&](const asio::any_io_executor& now) { return now == to.get_executor(); });
    check(asio::any_io_executor(asio::make_strand(from)), [&](const asio::any_io_executor& now) {
        const auto* const inside = now.target<strand>();
        return inside != nullptr && &inside->get_inner_executor().context() == &to;
    });
}

BOOST_AUTO_TEST_CASE(what_cannot_move_stays_as_it_was)
{
    event_loop from;
    event_loop to;
    std::optional<error_code> ended;
    std::optional<tcp::socket> back;
    asio::io_context* ended_on = nullptr;
    const auto end = [&](error_code ec, tcp::socket socket) {
        ended = ec;
        ended_on = loops::try_get_running_loop();
        back.emplace(std::move(socket));
    };
    const auto migrate = [&](tcp::socket socket, event_loop& where) {
        ended.reset();
        back.reset();
        loops::async_migrate(std::move(socket), where, end);
        BOOST_TEST(!ended.has_value());
        from.restart();
        to.restart();
        from.poll();
        if (!to.is_closed())
            to.poll();
        BOOST_REQUIRE(ended.has_value());
        return *ended;
    };
    BOOST_TEST((migrate(tcp::socket(from), to) == asio::error::bad_descriptor));

    // To where it is: nothing is done, and what is under way goes on.
    connection it(asio::any_io_executor(from.get_executor()));
    std::optional<error_code> read;
    char byte = 0;
    it.socket.async_read_some(
        asio::buffer(&byte, 1), [&](error_code ec, std::size_t) { read = ec; });
    BOOST_TEST(!migrate(std::move(it.socket), from));
    BOOST_TEST(!read.has_value());
    // To a closed loop: the same, on the old one.
    to.close();
    BOOST_TEST((migrate(std::move(*back), to) == error::loop_closed));
    BOOST_TEST(ended_on == &from);
    BOOST_TEST(!read.has_value());
    asio::write(it.user, asio::buffer("a", 1));
    from.restart();
    from.run();
    BOOST_TEST((read == error_code()));
    BOOST_TEST(byte == 'a');
    asio::write(it.user, asio::buffer("b", 1));
    BOOST_TEST(back->read_some(asio::buffer(&byte, 1)) == 1U);
    BOOST_TEST(byte == 'b');
    back.reset();

    // Of a thread pool.
    asio::thread_pool threads(1);
    event_loop open;
    connection other(asio::any_io_executor(threads.get_executor()));
    ended.reset();
    loops::async_migrate(std::move(other.socket), open, end);
    open.run();
    BOOST_TEST((ended == error_code(asio::error::operation_not_supported)));
    BOOST_TEST(back->is_open());
    back.reset();
}

BOOST_AUTO_TEST_CASE(a_migration_is_cancelled)
{
    event_loop from;
    event_loop to;
    connection it(from.get_executor());
    asio::cancellation_signal signal;
    std::optional<error_code> ended;
    loops::async_migrate(std::move(it.socket), to,
        asio::bind_cancellation_slot(signal.slot(), [&](error_code ec, tcp_on<plain> socket) {
            ended = ec;
            BOOST_TEST((&socket.get_executor().context() == &from));
            BOOST_TEST(socket.is_open());
        }));
    signal.emit(asio::cancellation_type::total);
    from.run();
    to.run();
    BOOST_TEST((ended == error_code(asio::error::operation_aborted)));
    signal.emit(asio::cancellation_type::total); // nothing is left in the slot
}

BOOST_AUTO_TEST_CASE(completions_are_where_the_handler_wants_them)
{
    asio::thread_pool elsewhere(
        1); // a thread of the pool may be in a call of it after the completion
    const auto pool = std::make_shared<pool_policy>(2);
    connection it(pool->loop(0).get_executor());
    auto future = loops::async_migrate(std::move(it.socket), pool->loop(1), asio::use_future);
    {
        auto socket = future.get();
        BOOST_TEST((&socket.get_executor().context() == &pool->loop(1)));
        test::latch ended;
        std::thread::id at;
        std::thread::id there;
        asio::post(elsewhere, [&] { there = std::this_thread::get_id(); });
        loops::async_migrate(std::move(socket), pool->loop(0),
            asio::bind_executor(elsewhere, [&](error_code ec, tcp_on<plain>) {
                at = ec ? std::thread::id() : std::this_thread::get_id();
                ended.count_down();
            }));
        BOOST_TEST(ended.wait());
        elsewhere.join();
        BOOST_TEST((at == there));
    }
    pool->close();

    // With the loop that it is on, it goes uncalled, and the connection ends.
    auto loop = std::make_unique<event_loop>();
    event_loop to;
    connection last(loop->get_executor());
    auto owned = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = owned;
    loops::async_migrate(std::move(last.socket), to,
        [owned = std::move(owned)](error_code, const tcp_on<plain>&) { BOOST_ERROR("called"); });
    loop.reset();
    BOOST_TEST(watched.expired());
    char byte = 0;
    error_code ec;
    last.user.read_some(asio::buffer(&byte, 1), ec);
    BOOST_TEST((ec == asio::error::eof));
}
