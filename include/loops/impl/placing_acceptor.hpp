// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_PLACING_ACCEPTOR_HPP
#define LOOPS_IMPL_PLACING_ACCEPTOR_HPP

#include <loops/detail/task_hook.hpp>
#include <loops/error.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

template <class Endpoint>
Endpoint endpoint_from(const void* address, std::size_t size)
{
    Endpoint made;
    const std::size_t fits = (std::min)(size, made.capacity());
    std::memcpy(made.data(), address, fits);
    made.resize(fits);
    return made;
}

// The handler on its executor: makes the socket there, and not earlier, since what waits for its
// turn may go down with a loop that outlives the socket's.
template <class Handler, class Work, class Acceptor, class MakeExecutor>
struct placed
{
    using allocator_type = asio::associated_allocator_t<Handler>;
    using socket_type = typename Acceptor::socket_type;
    using endpoint_type = typename Acceptor::endpoint_type;

    Handler handler;
    Work work;
    MakeExecutor make_executor;
    endpoint_type local;
    error_code ec;
    accepted it;

    allocator_type get_allocator() const noexcept
    {
        return asio::get_associated_allocator(handler);
    }

    void operator()()
    {
        clear_slot(handler);
        std::optional<socket_type> socket;
        try
        {
            if (!ec)
                open(socket);
        }
        catch (const system_error& e)
        {
            ec = e.code();
            it.place.release();
        }
        asio::io_context* const acceptors = socket ? nullptr : it.by->loop();
        if (acceptors != nullptr)
            socket.emplace(make_executor(*acceptors));
        if (socket) // else this goes as the acceptor's loop did
            std::move(handler)(ec, std::move(*socket), std::move(it.place));
    }

private:
    void open(std::optional<socket_type>& socket)
    {
        socket_type made(make_executor(it.place.get_event_loop()));
        made.assign(local.protocol(), it.socket.get());
        it.socket.release();
        socket.emplace(std::move(made));
    }
};

// An accept under way, as the acceptor's core has it.
template <class Handler, class Acceptor, class MakeExecutor>
class accept_op
{
    using handler_executor = asio::associated_executor_t<Handler, asio::io_context::executor_type>;
    using work_type = asio::executor_work_guard<handler_executor>;
    using endpoint_type = typename Acceptor::endpoint_type;

public:
    using allocator_type = asio::associated_allocator_t<Handler>;

    template <class H>
    accept_op(H&& handler, const asio::io_context::executor_type& fallback,
        const endpoint_type& local, const MakeExecutor& make_executor)
        : handler_(std::forward<H>(handler)),
          work_(asio::get_associated_executor(handler_, fallback)),
          local_(local),
          make_executor_(make_executor)
    {}

    allocator_type get_allocator() const noexcept
    {
        return asio::get_associated_allocator(handler_);
    }

    void operator()(error_code ec, accepted it)
    {
        const handler_executor executor = work_.get_executor();
        asio::post(
            executor, placed<Handler, work_type, Acceptor, MakeExecutor>{std::move(handler_),
                          std::move(work_), std::move(make_executor_), local_, ec, std::move(it)});
    }

private:
    Handler handler_;
    work_type work_;
    endpoint_type local_;
    MakeExecutor make_executor_;
};

struct accept_canceller
{
    std::weak_ptr<acceptor_core> of;
    std::uint64_t id;

    void operator()(asio::cancellation_type) const
    {
        if (const auto core = of.lock())
            core->cancel(id);
    }
};

template <class Acceptor>
asio::io_context& loop_of(Acceptor& listening)
{
    asio::io_context* const loop = io_context_of(listening.get_executor());
    if (loop == nullptr)
        throw_error(make_error_code(boost::system::errc::invalid_argument),
            "making a placing_acceptor of one whose executor is no io_context's; make it with a "
            "loop "
            "or a strand of one");
    return *loop;
}

} // namespace detail

template <class Protocol, class MakeExecutor>
detail::peer_reader placing_acceptor<Protocol, MakeExecutor>::reader_of(options_type& options)
{
    return [key = std::move(options.key)](const void* address, std::size_t size, selection& what) {
        if (key)
            what.key = key(detail::endpoint_from<endpoint_type>(address, size));
    };
}

template <class Protocol, class MakeExecutor>
placing_acceptor<Protocol, MakeExecutor>::placing_acceptor(asio::io_context& loop,
    detail::socket_owner listening, connection_limit limit, detail::peer_reader read_peer,
    detail::placement place, MakeExecutor make_executor)
    : executor_(loop.get_executor()), make_executor_(std::move(make_executor))
{
    local_.resize(detail::local_address(listening.get(), local_.data(), local_.capacity()));
    core_ = detail::acceptor_core::make(
        loop, std::move(listening), std::move(limit), std::move(read_peer), std::move(place));
}

template <class Protocol, class MakeExecutor>
placing_acceptor<Protocol, MakeExecutor>::placing_acceptor(asio::io_context& loop,
    const endpoint_type& at, options_type options, MakeExecutor make_executor)
    : placing_acceptor(loop,
          detail::open_listening(at.protocol().family(), at.protocol().type(),
              at.protocol().protocol(), at.data(), at.size(), options.backlog),
          options.limit, reader_of(options), detail::place_by(options.policy, options.weight),
          std::move(make_executor))
{}

template <class Protocol, class MakeExecutor>
template <class Executor>
placing_acceptor<Protocol, MakeExecutor>::placing_acceptor(
    asio::basic_socket_acceptor<Protocol, Executor>&& listening, options_type options,
    MakeExecutor make_executor)
    : placing_acceptor(detail::loop_of(listening), detail::socket_owner(listening.release()),
          options.limit, reader_of(options), detail::place_by(options.policy, options.weight),
          std::move(make_executor))
{}

template <class Protocol, class MakeExecutor>
struct placing_acceptor<Protocol, MakeExecutor>::initiate
{
    template <class Handler>
    void operator()(Handler&& handler, const std::shared_ptr<detail::acceptor_core>& core,
        const executor_type& fallback, const endpoint_type& local, const MakeExecutor& make) const
    {
        using operation = detail::accept_op<std::decay_t<Handler>, placing_acceptor, MakeExecutor>;
        if (core->loop() == nullptr)
            detail::throw_error(error::loop_closed, "accepting on a loop that is gone");
        const std::uint64_t id = core->next_id();
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected())
            slot.assign(detail::accept_canceller{core, id});
        core->accept(id, operation(std::forward<Handler>(handler), fallback, local, make));
    }
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
