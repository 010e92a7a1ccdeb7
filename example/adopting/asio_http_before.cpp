// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

/// A small HTTP server by callbacks. doc/adopting.adoc says what its two versions differ by.

#include <boost/algorithm/string/predicate.hpp>
#include <boost/asio.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <exception>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds patience{30};
constexpr std::size_t largest_head = 8192;

struct answer
{
    std::string text;
    bool keep_alive = false;
};

answer answer_to(const std::string& head)
{
    std::istringstream words(head);
    std::string method;
    std::string target;
    std::string version;
    words >> method >> target >> version;

    answer made;
    std::string status = "200 OK";
    std::string body = "You asked for " + target + "\n";
    if (method == "GET")
        made.keep_alive =
            version == "HTTP/1.1" && !boost::algorithm::icontains(head, "\r\nconnection: close");
    else
    {
        status = "405 Method Not Allowed"; // and may have a body, which nobody reads here
        body = "There is only GET\n";
    }
    made.text = "HTTP/1.1 " + status +
                "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
                (made.keep_alive ? "" : "\r\nConnection: close") + "\r\n\r\n" + body;
    return made;
}

class connection : public std::enable_shared_from_this<connection>
{
public:
    explicit connection(tcp::socket socket)
        : socket_(std::move(socket)), limit_(socket_.get_executor())
    {}

    void start()
    {
        error_code ignored;
        socket_.set_option(tcp::no_delay(true), ignored);
        read();
    }

private:
    void read()
    {
        limit_.expires_after(patience);
        limit_.async_wait([self = shared_from_this()](const error_code& ec) {
            // It may have been set anew while this was on its way.
            if (!ec && self->limit_.expiry() <= asio::steady_timer::clock_type::now())
                self->close();
        });
        asio::async_read_until(socket_, asio::dynamic_buffer(asked_, largest_head), "\r\n\r\n",
            [self = shared_from_this()](const error_code& ec, std::size_t size) {
                if (ec)
                    self->close();
                else
                    self->write(size);
            });
    }

    void write(std::size_t head_size)
    {
        answer_ = answer_to(asked_.substr(0, head_size));
        asked_.erase(0, head_size);
        asio::async_write(socket_, asio::buffer(answer_.text),
            [self = shared_from_this()](const error_code& ec, std::size_t) {
                if (ec || !self->answer_.keep_alive)
                    self->close();
                else
                    self->read();
            });
    }

    void close()
    {
        error_code ignored;
        limit_.cancel();
        socket_.shutdown(tcp::socket::shutdown_both, ignored);
        socket_.close(ignored);
    }

    tcp::socket socket_;
    asio::steady_timer limit_;
    std::string asked_;
    answer answer_;
};

class server
{
public:
    server(asio::io_context& loop, unsigned short port)
        : acceptor_(loop, {asio::ip::address_v4::loopback(), port})
    {}

    unsigned short port() const { return acceptor_.local_endpoint().port(); }

    void accept()
    {
        acceptor_.async_accept([this](const error_code& ec, tcp::socket socket) {
            if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor)
                return; // closed
            if (!ec)
                std::make_shared<connection>(std::move(socket))->start();
            accept();
        });
    }

private:
    tcp::acceptor acceptor_;
};

} // namespace

int main(int argc, char** argv)
{
    try
    {
        const int port = argc > 1 ? std::stoi(argv[1]) : 8080;
        asio::io_context loop;
        server it(loop, static_cast<unsigned short>(port));
        asio::signal_set signals(loop, SIGINT, SIGTERM);
        signals.async_wait([&](const error_code&, int) { loop.stop(); });
        it.accept();
        std::cout << "http://127.0.0.1:" << it.port() << "/ until Ctrl-C" << std::endl;
        loop.run();
        return 0;
    }
    catch (const std::exception& e)
    {
        std::cerr << "asio_http: " << e.what() << std::endl;
        return 1;
    }
}
