// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_ASYNC_MIGRATE_HPP
#define LOOPS_IMPL_ASYNC_MIGRATE_HPP

#include <loops/detail/io_context_of.hpp>
#include <loops/detail/task_hook.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

template <class T>
struct is_stream_socket : std::false_type
{};

template <class Protocol, class Executor>
struct is_stream_socket<asio::basic_stream_socket<Protocol, Executor>> : std::true_type
{};

// The executor on another loop that is of the same kind as `old`.
template <class Executor>
Executor same_kind_on(const Executor& old, asio::io_context& target)
{
    using plain = asio::io_context::executor_type;
    if constexpr (std::is_same_v<Executor, asio::any_io_executor>)
    {
        if (old.template target<asio::strand<plain>>() != nullptr ||
            old.template target<asio::strand<asio::any_io_executor>>() != nullptr)
            return asio::make_strand(target);
        return target.get_executor();
    }
    else if constexpr (is_strand<Executor>::value)
    {
        return Executor(same_kind_on(old.get_inner_executor(), target));
    }
    else
    {
        static_assert(std::is_same_v<Executor, plain>,
            "async_migrate() can make executors of io_context, strands of these, and "
            "any_io_executor; give the socket one of them");
        return target.get_executor();
    }
}

// Its own type, so that what a handler is told is moved once, on the handler's executor.
template <class Handler, class Work, class Socket>
struct migrated
{
    using allocator_type = asio::associated_allocator_t<Handler>;
    Handler handler;
    Work work;
    error_code ec;
    Socket socket;

    allocator_type get_allocator() const noexcept
    {
        return asio::get_associated_allocator(handler);
    }
    void operator()()
    {
        clear_slot(handler);
        std::move(handler)(ec, std::move(socket));
    }
};

// One migration under way. All but its start runs on the socket's old executor.
template <class Socket, class Handler>
class migration : public std::enable_shared_from_this<migration<Socket, Handler>>
{
    using fallback = asio::io_context::executor_type;
    using handler_executor = asio::associated_executor_t<Handler, fallback>;
    using work_type = asio::executor_work_guard<handler_executor>;
    using wait_type = typename Socket::wait_type;

public:
    migration(Socket socket, asio::io_context* source, asio::io_context& target, Handler handler,
        const fallback& otherwise)
        : socket_(std::move(socket)),
          source_(source),
          target_(target),
          work_(asio::get_associated_executor(handler, otherwise)),
          handler_(std::move(handler))
    {}

    void start()
    {
        auto slot = asio::get_associated_cancellation_slot(handler_);
        if (slot.is_connected())
            slot.assign(canceller{this->weak_from_this()});
        asio::post(socket_.get_executor(), [self = this->shared_from_this()] { self->drain(); });
    }

    // The socket stays as it is.
    void refuse(error_code ec) { complete(ec, std::move(socket_)); }

private:
    struct canceller
    {
        std::weak_ptr<migration> of;
        void operator()(asio::cancellation_type)
        {
            if (const auto it = of.lock())
                it->cancelled_ = true;
        }
    };

    // Calls `f` on the old executor, after the completions that are on their way there now. Those
    // come by the loop's queue, which is why this goes through it: a strand has one of its own.
    template <class F>
    void after_what_is_queued(F f)
    {
        asio::post(*source_, [self = this->shared_from_this(), f] {
            asio::dispatch(self->socket_.get_executor(), [self, f] { f(*self); });
        });
    }

    void drain()
    {
        if (cancelled_)
            return refuse(asio::error::operation_aborted);
        error_code ec;
        socket_.cancel(ec);
        if (ec)
            return refuse(ec);
#if defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
        probe();
#else
        // The reactor does no more for what it has let go of; that is heard before this.
        after_what_is_queued([](migration& self) { self.move_over(); });
#endif
    }

#if defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
    // The kernel may be at work on an operation for some time after it was asked to cancel it, and
    // take bytes meanwhile. Asio has one operation of each kind with the kernel at a time, and the
    // others wait behind it. So a wait that is started and cancelled at once ends at once where it
    // stood behind another, and else only when the kernel has answered, later than what was posted.
    void probe()
    {
        is_wait_over_ = is_post_over_ = false;
        constexpr wait_type kinds[] = {Socket::wait_read, Socket::wait_write, Socket::wait_error};
        socket_.async_wait(kinds[kind_], asio::bind_executor(socket_.get_executor(),
                                             [self = this->shared_from_this()](error_code) {
                                                 self->is_behind_ = !self->is_post_over_;
                                                 self->is_wait_over_ = true;
                                                 self->go_on();
                                             }));
        error_code ignored;
        socket_.cancel(ignored);
        after_what_is_queued([](migration& self) {
            self.is_post_over_ = true;
            self.go_on();
        });
    }

    void go_on()
    {
        constexpr int most_probes = 10000; // each is a turn of the loop
        if (!is_wait_over_ || !is_post_over_)
            return;
        if (is_behind_ && ++probes_ == most_probes)
            return refuse(asio::error::in_progress);
        if (!is_behind_ && ++kind_ == 3)
            return move_over();
        probe();
    }

    int kind_ = 0;
    int probes_ = 0;
    bool is_wait_over_ = false;
    bool is_post_over_ = false;
    bool is_behind_ = false;
#endif

    // The new loop gets the descriptor before the old one lets go of it, which cannot fail.
    void move_over()
    {
        if (cancelled_)
            return refuse(asio::error::operation_aborted);
        error_code ec;
        Socket moved(same_kind_on(socket_.get_executor(), target_));
        const auto local = socket_.local_endpoint(ec); // which knows the family
        if (!ec)
            moved.assign(local.protocol(), socket_.native_handle(), ec);
        if (!ec && socket_.non_blocking())
            moved.non_blocking(true, ec);
        if (ec)
        {
            if (moved.is_open())
                moved.release();
            return refuse(ec);
        }
        socket_.release();
        complete(error_code(), std::move(moved));
    }

    void complete(error_code ec, Socket socket)
    {
        const handler_executor executor = work_.get_executor();
        asio::post(executor, migrated<Handler, work_type, Socket>{
                                 std::move(handler_), std::move(work_), ec, std::move(socket)});
    }

    Socket socket_;
    asio::io_context* const source_; // null where nothing is to be moved
    asio::io_context& target_;
    work_type work_;
    Handler handler_;
    std::atomic<bool> cancelled_{false};
};

struct initiate_migrate
{
    template <class Handler, class Socket>
    void operator()(Handler&& handler, Socket socket, asio::io_context* target) const
    {
        using operation = migration<Socket, std::decay_t<Handler>>;
        asio::io_context* const source = io_context_of(socket.get_executor());
        const bool is_target_closed = is_closed(*target);
        asio::io_context& fallback = is_target_closed && source != nullptr ? *source : *target;
        error_code refused;
        if (!socket.is_open())
            refused = asio::error::bad_descriptor;
        else if (source == nullptr)
            refused = asio::error::operation_not_supported;
        else if (is_target_closed || is_closed(*source))
            refused = error::loop_closed;
        const auto alloc = asio::get_associated_allocator(handler);
        const auto it = std::allocate_shared<operation>(alloc, std::move(socket), source, *target,
            std::forward<Handler>(handler), fallback.get_executor());
        if (refused || source == target)
            it->refuse(refused);
        else
            it->start();
    }
};

} // namespace detail

template <class Protocol, class Executor,
    BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, asio::basic_stream_socket<Protocol, Executor>))
        CompletionToken>
auto async_migrate(asio::basic_stream_socket<Protocol, Executor> socket, asio::io_context& target,
    CompletionToken&& token)
{
    using signature = void(error_code, asio::basic_stream_socket<Protocol, Executor>);
    return asio::async_initiate<CompletionToken, signature>(
        detail::initiate_migrate(), token, std::move(socket), &target);
}

/// Refuses what cannot be moved, with a text that says what to do.
template <class Stream, class CompletionToken,
    std::enable_if_t<!detail::is_stream_socket<std::decay_t<Stream>>::value, int> = 0>
void async_migrate(Stream&&, asio::io_context&, CompletionToken&&)
{
    static_assert(detail::is_stream_socket<std::decay_t<Stream>>::value,
        "async_migrate() moves an asio::basic_stream_socket. An acceptor: open one on the other "
        "loop. An SSL or Beast stream: move the socket before the stream is made of it, or what "
        "release_socket() gives.");
}

} // namespace LOOPS_ABI
} // namespace loops

#endif
