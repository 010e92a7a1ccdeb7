// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_CONNECTIONS_HPP
#define LOOPS_TEST_SUPPORT_CONNECTIONS_HPP

#include <loops/detail/fault.hpp>
#include <loops/error.hpp>
#include <loops/event_loop.hpp>
#include <loops/lease.hpp>
#include <loops/placing_acceptor.hpp>
#include <loops/policy.hpp>

#include "support/latch.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

// Clients and servers on loopback, for tests of what accepts.

namespace test {

namespace asio = boost::asio;
using asio::ip::tcp;

inline tcp::endpoint any_port()
{
    return {asio::ip::address_v4::loopback(), 0};
}

// Blocking clients.
class clients
{
public:
    explicit clients(tcp::endpoint to) : to_(std::move(to)) {}

    // The handshake is the kernel's: nobody has to accept.
    tcp::socket& connect()
    {
        tcp::socket& made = all_.emplace_back(context_);
        made.connect(to_);
        return made;
    }

    void connect(std::size_t count)
    {
        while (count-- > 0)
            connect();
    }

    std::size_t size() const { return all_.size(); }
    tcp::socket& operator[](std::size_t i) { return all_[i]; }
    void close() { all_.clear(); }

private:
    asio::io_context context_;
    const tcp::endpoint to_;
    std::deque<tcp::socket> all_;
};

// What was accepted, kept open; thread safe.
template <class Socket = tcp::socket>
class accepted_list
{
public:
    struct connection
    {
        Socket socket;
        loops::lease place;
    };

    void add(Socket socket, loops::lease place)
    {
        const std::lock_guard lock(mutex_);
        all_.push_back({std::move(socket), std::move(place)});
    }

    std::size_t size() const
    {
        const std::lock_guard lock(mutex_);
        return all_.size();
    }

    bool has(std::size_t count) const
    {
        return eventually([&] { return size() >= count; });
    }

    // Takes all: from here on they are the caller's.
    std::vector<connection> take()
    {
        const std::lock_guard lock(mutex_);
        return std::exchange(all_, {});
    }

private:
    mutable std::mutex mutex_;
    std::vector<connection> all_;
};

using acceptor = loops::placing_acceptor<tcp>;
using acceptor_options = loops::placing_options<tcp>;
using socket_type = acceptor::socket_type;

// Accepts until it is closed, and keeps what comes.
class server
{
public:
    explicit server(asio::io_context& loop, acceptor_options options = {})
        : door_(loop, any_port(), std::move(options))
    {
        accept();
    }

    acceptor& door() { return door_; }
    tcp::endpoint at() const { return door_.local_endpoint(); }
    accepted_list<socket_type>& list() { return list_; }

    // Whether it has heard that it is closed.
    bool is_over() const { return is_over_; }

    std::vector<loops::error_code> errors() const
    {
        const std::lock_guard lock(mutex_);
        return errors_;
    }

private:
    void accept()
    {
        door_.async_accept([this](loops::error_code ec, socket_type socket, loops::lease place) {
            // Closed: while it waited, or between two accepts.
            if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor)
            {
                is_over_ = true;
                return;
            }
            if (!ec)
            {
                list_.add(std::move(socket), std::move(place));
            }
            else
            {
                const std::lock_guard lock(mutex_);
                errors_.push_back(ec);
            }
            accept();
        });
    }

    accepted_list<socket_type> list_;
    mutable std::mutex mutex_;
    std::vector<loops::error_code> errors_;
    std::atomic<bool> is_over_{false};
    acceptor door_;
};

// A loop that accepts beside the policy's, on a thread of its own, for as long as this lives.
class door_loop
{
public:
    door_loop() : work_(asio::make_work_guard(loop_)), thread_([this] { loop_.run(); }) {}
    door_loop(const door_loop&) = delete;
    door_loop& operator=(const door_loop&) = delete;
    ~door_loop() { join(); }

    operator loops::event_loop&() { return loop_; }

    void join()
    {
        work_.reset();
        loop_.stop();
        if (thread_.joinable())
            thread_.join();
    }

private:
    loops::event_loop loop_{"door"};
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::thread thread_;
};

inline acceptor_options by(std::shared_ptr<loops::event_loop_policy> policy)
{
    acceptor_options options;
    options.policy = std::move(policy);
    return options;
}

// Has one kind of system call fail so many times, and counts how often it is made while this lives.
class failing_call
{
public:
    explicit failing_call(const char* call, int code = 0, int times = 0)
    {
        name_ = call;
        code_ = code;
        left_ = times;
        asked_ = 0;
        loops::detail::fault_hook = [](const char* asked) {
            if (std::strcmp(asked, name_) != 0)
                return 0;
            ++asked_;
            return left_ > 0 && left_-- > 0 ? code_.load() : 0;
        };
    }
    failing_call(const failing_call&) = delete;
    failing_call& operator=(const failing_call&) = delete;
    ~failing_call() { loops::detail::fault_hook = nullptr; }

    int asked() const { return asked_; }

private:
    static inline const char* name_ = "";
    static inline std::atomic<int> code_{0};
    static inline std::atomic<int> left_{0};
    static inline std::atomic<int> asked_{0};
};

} // namespace test

#endif
