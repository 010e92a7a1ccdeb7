// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

/// A small HTTP server of Boost.Beast. doc/adopting.adoc says what its two versions differ by.

#include <loops.hpp>

#include <boost/asio.hpp>
#include <boost/beast.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

namespace beast = boost::beast;
namespace http = beast::http;
namespace net = boost::asio;
using net::ip::tcp;
using listening_socket = loops::placing_acceptor<tcp, loops::on_strand>;

namespace {

constexpr std::chrono::seconds patience{30};

class session : public std::enable_shared_from_this<session>
{
public:
    session(tcp::socket socket, loops::lease at) : at_(std::move(at)), stream_(std::move(socket)) {}

    void run()
    {
        net::dispatch(
            stream_.get_executor(), beast::bind_front_handler(&session::read, shared_from_this()));
    }

private:
    void read()
    {
        asked_ = {};
        stream_.expires_after(patience);
        http::async_read(stream_, buffer_, asked_,
            beast::bind_front_handler(&session::on_read, shared_from_this()));
    }

    void on_read(beast::error_code ec, std::size_t)
    {
        if (ec)
            return close(); // the client has left, or took too long, or does not speak HTTP
        const bool is_get = asked_.method() == http::verb::get;
        answer_ = {is_get ? http::status::ok : http::status::method_not_allowed, asked_.version()};
        answer_.set(http::field::content_type, "text/plain");
        if (is_get)
            answer_.body() = "You asked for " + std::string(asked_.target()) + "\n";
        else
            answer_.body() = "There is only GET\n";
        answer_.keep_alive(asked_.keep_alive());
        answer_.prepare_payload();
        http::async_write(
            stream_, answer_, beast::bind_front_handler(&session::on_write, shared_from_this()));
    }

    void on_write(beast::error_code ec, std::size_t)
    {
        if (ec || !answer_.keep_alive())
            close();
        else
            read();
    }

    void close()
    {
        beast::error_code ignored;
        stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
        stream_.close();
    }

    const loops::lease at_;
    beast::tcp_stream stream_;
    beast::flat_buffer buffer_;
    http::request<http::string_body> asked_;
    http::response<http::string_body> answer_;
};

void accept(listening_socket& from)
{
    from.async_accept([&from](beast::error_code ec, tcp::socket socket, loops::lease at) {
        if (ec == net::error::operation_aborted || ec == net::error::bad_descriptor)
            return; // closed
        if (!ec)
            std::make_shared<session>(std::move(socket), std::move(at))->run();
        accept(from);
    });
}

} // namespace

int main(int argc, char** argv)
{
    try
    {
        const int port = argc > 1 ? std::stoi(argv[1]) : 8080;
        const tcp::endpoint at(net::ip::address_v4::loopback(), static_cast<unsigned short>(port));
        net::io_context& loop = loops::select_event_loop();
        listening_socket acceptor(loop, at);
        loops::get_event_loop_policy()->on_drain([&] { acceptor.close(); });
        accept(acceptor);
        std::cout << "http://127.0.0.1:" << acceptor.local_endpoint().port() << "/ until Ctrl-C"
                  << std::endl;
        loops::get_event_loop_policy()->run_until_signal(std::chrono::seconds(2));
        return 0;
    }
    catch (const std::exception& e)
    {
        std::cerr << "beast_http: " << e.what() << std::endl;
        return 1;
    }
}
