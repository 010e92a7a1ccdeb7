// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_LISTENING_GROUP_HPP
#define LOOPS_IMPL_LISTENING_GROUP_HPP

#include <loops/error.hpp>
#include <loops/loop_clock.hpp>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/wait_traits.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// One loop of a group, accepting for a handler. What waits on the loop keeps it, and nothing else.
template <class Acceptor, class Handler>
class group_member : public std::enable_shared_from_this<group_member<Acceptor, Handler>>
{
public:
    group_member(std::shared_ptr<Acceptor> acceptor, const Handler& handler)
        : acceptor_(std::move(acceptor)), timer_(acceptor_->get_executor()), handler_(handler)
    {}

    void accept()
    {
        acceptor_->async_accept([self = this->shared_from_this()](const error_code& ec,
                                    typename Acceptor::socket_type socket, lease place) {
            if (!ec)
            {
                self->accept(); // now, since the handler may throw
                self->handler_(std::move(socket), std::move(place));
            }
            else if (ec != asio::error::operation_aborted && ec != asio::error::bad_descriptor)
            {
                log_accept_error(self->acceptor_->get_executor().context(), ec);
                self->accept_later();
            }
        });
    }

private:
    void accept_later()
    {
        timer_.expires_after(std::chrono::milliseconds(100));
        timer_.async_wait([self = this->shared_from_this()](const error_code& ec) {
            if (!ec)
                self->accept();
        });
    }

    const std::shared_ptr<Acceptor> acceptor_;
    asio::basic_waitable_timer<loop_clock, asio::wait_traits<loop_clock>,
        typename Acceptor::executor_type>
        timer_;
    Handler handler_;
};

} // namespace detail

template <class Protocol, class MakeExecutor>
listening_group<Protocol, MakeExecutor>::listening_group(pool_policy& pool, const endpoint_type& at,
    const listening_options& options, MakeExecutor make_executor)
{
    const auto protocol = at.protocol();
    detail::opened_group opened = detail::open_group(pool, protocol.family(), protocol.type(),
        protocol.protocol(), at.data(), at.size(), options.backlog);
    for (std::size_t i = 0; i < opened.sockets.size(); ++i)
    {
        asio::io_context& loop = pool.loop(i);
        acceptors_.push_back(std::make_shared<acceptor_type>(
            loop, std::move(opened.sockets[i]), options.limit, detail::peer_reader(),
            [&loop, weight = options.weight](const selection&) { return lease(loop, weight); },
            make_executor));
    }
    steering_ = opened.steering;
    reason_ = std::move(opened.reason);
}

template <class Protocol, class MakeExecutor>
template <class Handler>
void listening_group<Protocol, MakeExecutor>::start(const Handler& handler)
{
    for (const auto& each : acceptors_)
        std::make_shared<detail::group_member<acceptor_type, Handler>>(each, handler)->accept();
}
} // namespace LOOPS_ABI
} // namespace loops

#endif
