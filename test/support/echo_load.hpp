// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_ECHO_LOAD_HPP
#define LOOPS_TEST_SUPPORT_ECHO_LOAD_HPP

#include <loops/error.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace test {

// An echo server of Asio's, and clients that keep it busy until they are told to end. All on one loop.
class echo_load
{
public:
    explicit echo_load(boost::asio::io_context& loop, std::size_t clients = 4)
        : acceptor_(loop, {boost::asio::ip::address_v4::loopback(), 0})
    {
        accept();
        for (std::size_t i = 0; i != clients; ++i)
        {
            clients_.push_back(std::make_unique<end>(tcp::socket(loop)));
            clients_.back()->socket.connect(acceptor_.local_endpoint());
            talk(*clients_.back());
        }
    }

    void stop()
    {
        acceptor_.close();
        for (const auto& each : clients_)
            each->socket.close();
    }

    std::uint64_t exchanges() const { return exchanges_; }

private:
    using tcp = boost::asio::ip::tcp;

    struct end
    {
        explicit end(tcp::socket with) : socket(std::move(with)) {}
        tcp::socket socket;
        std::array<char, 64> data{};
    };

    void accept()
    {
        acceptor_.async_accept([this](const loops::error_code& ec, tcp::socket socket) {
            if (ec)
                return;
            serve(std::make_shared<end>(std::move(socket)));
            accept();
        });
    }

    static void serve(const std::shared_ptr<end>& session)
    {
        boost::asio::async_read(session->socket, boost::asio::buffer(session->data),
            [session](const loops::error_code& ec, std::size_t) {
                if (!ec)
                    answer(session);
            });
    }

    static void answer(const std::shared_ptr<end>& session)
    {
        boost::asio::async_write(session->socket, boost::asio::buffer(session->data),
            [session](const loops::error_code& ec, std::size_t) {
                if (!ec)
                    serve(session);
            });
    }

    void talk(end& it)
    {
        boost::asio::async_write(it.socket, boost::asio::buffer(it.data),
            [this, &it](const loops::error_code& ec, std::size_t) {
                if (!ec)
                    listen(it);
            });
    }

    void listen(end& it)
    {
        boost::asio::async_read(it.socket, boost::asio::buffer(it.data),
            [this, &it](const loops::error_code& ec, std::size_t) {
                if (ec)
                    return;
                ++exchanges_;
                talk(it);
            });
    }

    tcp::acceptor acceptor_;
    std::vector<std::unique_ptr<end>> clients_;
    std::uint64_t exchanges_ = 0;
};

} // namespace test

#endif
