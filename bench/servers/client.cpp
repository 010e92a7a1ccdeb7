// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "client.hpp"

#include "../measure.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace servers {
namespace {

[[noreturn]] void fail(const char* attempted)
{
    throw std::runtime_error(std::string(attempted) + ": " + std::strerror(errno));
}

class descriptor
{
public:
    descriptor(int fd, const char* attempted) : fd_(fd)
    {
        if (fd < 0)
            fail(attempted);
    }
    descriptor(descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    descriptor& operator=(descriptor&&) = delete;
    ~descriptor()
    {
        if (fd_ >= 0)
            ::close(fd_);
    }

    int get() const { return fd_; }

private:
    int fd_;
};

struct connection
{
    descriptor socket;
    std::string request;
    std::string reply;
    std::size_t received = 0;
    std::size_t left = 0;
    double sent_at = 0;
};

descriptor connect_to(unsigned short port)
{
    descriptor made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "making a socket");
    const int on = 1;
    ::setsockopt(made.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
        fail("connecting");
    ::fcntl(made.get(), F_SETFL, O_NONBLOCK);
    return made;
}

void send(connection& on)
{
    // A request is small, and the last one was answered: there is room for it.
    on.sent_at = measure::wall_nanoseconds();
    on.received = 0;
    --on.left;
    const ssize_t sent =
        ::send(on.socket.get(), on.request.data(), on.request.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(on.request.size()))
        fail("sending a request");
}

// Whether the answer is there now.
bool receive(connection& on)
{
    std::array<char, 512> some;
    const ssize_t got = ::recv(on.socket.get(), some.data(), some.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0)
        throw std::runtime_error("the server closed a connection");
    const auto size = static_cast<std::size_t>(got);
    if (size > on.reply.size() - on.received ||
        on.reply.compare(on.received, size, some.data(), size) != 0)
        throw std::runtime_error("the server answered something else");
    on.received += size;
    return on.received == on.reply.size();
}

// Has each connection send its requests; gives the time of each to its answer.
std::vector<double> run(int poll, std::vector<connection>& all, std::size_t requests_each)
{
    constexpr int patience_ms = 10000;
    std::vector<double> times;
    times.reserve(all.size() * requests_each);
    for (connection& each : all)
    {
        each.left = requests_each;
        send(each);
    }
    std::array<epoll_event, 64> ready;
    std::size_t busy = all.size();
    while (busy > 0)
    {
        const int count =
            ::epoll_wait(poll, ready.data(), static_cast<int>(ready.size()), patience_ms);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            fail("waiting for answers");
        if (count == 0)
            throw std::runtime_error("no answer for ten seconds");
        for (int i = 0; i < count; ++i)
        {
            auto& on = *static_cast<connection*>(ready[static_cast<std::size_t>(i)].data.ptr);
            if (!receive(on))
                continue;
            times.push_back(measure::wall_nanoseconds() - on.sent_at);
            if (on.left > 0)
                send(on);
            else
                --busy;
        }
    }
    return times;
}

} // namespace

observed put_load(
    unsigned short port, const workload& what, std::size_t connections, std::size_t requests_each)
{
    const descriptor poll(::epoll_create1(EPOLL_CLOEXEC), "making an epoll");
    std::vector<connection> all;
    for (std::size_t i = 0; i < connections; ++i)
    {
        std::string asked = request(what.how, what.work_us[i % what.work_us.size()]);
        std::string answer = reply(what.how, asked);
        all.push_back({connect_to(port), std::move(asked), std::move(answer)});
    }
    for (connection& each : all)
    {
        epoll_event wanted{};
        wanted.events = EPOLLIN;
        wanted.data.ptr = &each;
        if (::epoll_ctl(poll.get(), EPOLL_CTL_ADD, each.socket.get(), &wanted) != 0)
            fail("watching a socket");
    }

    run(poll.get(), all, 3);
    const double cpu_before = measure::process_nanoseconds() - measure::thread_nanoseconds();
    const double begin = measure::wall_nanoseconds();
    std::vector<double> times = run(poll.get(), all, requests_each);
    const double taken = measure::wall_nanoseconds() - begin;
    const double cpu = measure::process_nanoseconds() - measure::thread_nanoseconds() - cpu_before;

    const auto requests = static_cast<double>(times.size());
    const auto at = times.begin() + static_cast<std::ptrdiff_t>(times.size() * 99 / 100);
    std::nth_element(times.begin(), at, times.end());
    return {requests * 1e9 / taken, *at / 1000, cpu / requests / 1000};
}

} // namespace servers
