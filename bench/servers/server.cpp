// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "server.hpp"

#include <loops/lease.hpp>
#include <loops/make_policy.hpp>
#include <loops/placing_acceptor.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <exception>
#include <future>
#include <thread>
#include <utility>

namespace servers {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// Not of any_io_executor, for all alike.
using loop_executor = asio::io_context::executor_type;
using loop_socket = asio::basic_stream_socket<tcp, loop_executor>;

const tcp::endpoint anywhere(asio::ip::address_v4::loopback(), 0);

// A connection has one operation under way at a time, so that it needs no strand on a loop that several
// threads run. `Place` is what it holds while it lives.
template <class Place>
class session : public std::enable_shared_from_this<session<Place>>
{
public:
    session(loop_socket socket, Place place, protocol how, const measure::busy_work& microsecond)
        : socket_(std::move(socket)), place_(std::move(place)), how_(how), microsecond_(microsecond)
    {
        socket_.set_option(tcp::no_delay(true));
    }

    void start()
    {
        asio::dispatch(socket_.get_executor(), [self = this->shared_from_this()] { self->read(); });
    }

private:
    void read()
    {
        auto then = [self = this->shared_from_this()](const error_code& ec, std::size_t size) {
            if (!ec)
                self->answer(size);
        };
        if (how_ == protocol::echo)
            asio::async_read(socket_, asio::buffer(message_), std::move(then));
        else
            asio::async_read_until(
                socket_, asio::dynamic_buffer(text_), "\r\n\r\n", std::move(then));
    }

    void answer(std::size_t size)
    {
        const bool http = how_ == protocol::http;
        for (unsigned left = work_of(how_, http ? text_.c_str() : message_); left > 0; --left)
            microsecond_();
        if (http)
            text_.erase(0, size);
        asio::async_write(socket_, http ? asio::buffer(answer_) : asio::buffer(message_),
            [self = this->shared_from_this()](const error_code& ec, std::size_t) {
                if (!ec)
                    self->read();
            });
    }

    loop_socket socket_;
    const Place place_;
    const protocol how_;
    const measure::busy_work& microsecond_;
    char message_[echo_size];
    std::string text_;
    const std::string answer_ = reply(protocol::http, {});
};

struct no_place
{};

// What people write: some contexts, a thread for each, and connections dealt in turn. With one context
// and some threads it is the other thing that people write.
class plain_server : public server
{
public:
    plain_server(std::size_t contexts, std::size_t threads_each, protocol how,
        const measure::busy_work& microsecond)
        : how_(how), microsecond_(microsecond)
    {
        for (std::size_t i = 0; i < contexts; ++i)
        {
            contexts_.push_back(std::make_unique<asio::io_context>(static_cast<int>(threads_each)));
            work_.emplace_back(contexts_.back()->get_executor());
        }
        acceptor_ = std::make_unique<acceptor>(*contexts_[0], anywhere);
        accept();
        for (const auto& each : contexts_)
        {
            for (std::size_t i = 0; i < threads_each; ++i)
                threads_.emplace_back([&each] { each->run(); });
        }
    }

    ~plain_server() override
    {
        for (const auto& each : contexts_)
            each->stop();
        for (std::thread& each : threads_)
            each.join();
    }

    unsigned short port() const override { return acceptor_->local_endpoint().port(); }

private:
    using acceptor = asio::basic_socket_acceptor<tcp, loop_executor>;

    void accept()
    {
        const asio::io_context::executor_type next =
            contexts_[next_++ % contexts_.size()]->get_executor();
        acceptor_->async_accept(next, [this](const error_code& ec, loop_socket socket) {
            if (ec)
                return;
            std::make_shared<session<no_place>>(std::move(socket), no_place(), how_, microsecond_)
                ->start();
            accept();
        });
    }

    const protocol how_;
    const measure::busy_work& microsecond_;
    std::vector<std::unique_ptr<asio::io_context>> contexts_;
    std::vector<asio::executor_work_guard<loop_executor>> work_;
    std::unique_ptr<acceptor> acceptor_;
    std::size_t next_ = 0;
    std::vector<std::thread> threads_;
};

// The same by a policy, which places the connections: what a program has where LOOPS_POLICY says so.
class policy_server : public server
{
public:
    policy_server(
        const std::string& description, protocol how, const measure::busy_work& microsecond)
        : how_(how), microsecond_(microsecond), policy_(loops::make_policy(description))
    {
        std::promise<unsigned short> port;
        thread_ = std::thread([this, &port] { serve(port); });
        try
        {
            port_ = port.get_future().get();
        }
        catch (...)
        {
            thread_.join();
            throw;
        }
    }

    ~policy_server() override
    {
        policy_->on_drain(
            [this] { asio::post(acceptor_->get_executor(), [this] { acceptor_->close(); }); });
        policy_->drain(std::chrono::seconds(5)); // the client has gone, and so do the sessions
        thread_.join();
        policy_->close();
    }

    unsigned short port() const override { return port_; }

private:
    using acceptor = loops::placing_acceptor<tcp>;

    // What a main function does; some policies have the calling thread run the loop.
    void serve(std::promise<unsigned short>& port)
    {
        try
        {
            acceptor::options_type options;
            options.policy = policy_;
            acceptor_ = std::make_unique<acceptor>(policy_->select_event_loop(), anywhere, options);
            accept();
            port.set_value(acceptor_->local_endpoint().port());
        }
        catch (...)
        {
            port.set_exception(std::current_exception());
            return;
        }
        policy_->run();
    }

    void accept()
    {
        acceptor_->async_accept(
            [this](const error_code& ec, loop_socket socket, loops::lease place) {
                if (ec)
                    return;
                std::make_shared<session<loops::lease>>(
                    std::move(socket), std::move(place), how_, microsecond_)
                    ->start();
                accept();
            });
    }

    const protocol how_;
    const measure::busy_work& microsecond_;
    const std::shared_ptr<loops::event_loop_policy> policy_;
    std::unique_ptr<acceptor> acceptor_;
    unsigned short port_ = 0;
    std::thread thread_;
};

} // namespace

std::vector<kind> kinds(std::size_t threads, const measure::busy_work& microsecond)
{
    const auto plain = [&microsecond](std::size_t contexts, std::size_t threads_each) {
        return [=, &microsecond](protocol how) {
            return std::make_unique<plain_server>(contexts, threads_each, how, microsecond);
        };
    };
    const auto by = [&microsecond](const std::string& description) {
        return kind{description, [=, &microsecond](protocol how) {
                        return std::make_unique<policy_server>(description, how, microsecond);
                    }};
    };
    const std::string number = std::to_string(threads);
    return {
        {number + " contexts by hand", plain(threads, 1)},
        by("pool:" + number),
        by("pool:" + number + ",chooser=least_loaded"),
        {"1 context, " + number + " threads", plain(1, threads)},
        by("shared:" + number),
        {"1 context, 1 thread", plain(1, 1)},
        by("default"),
        by("threaded"),
    };
}

} // namespace servers
