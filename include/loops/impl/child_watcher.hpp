// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_CHILD_WATCHER_HPP
#define LOOPS_IMPL_CHILD_WATCHER_HPP

#include <loops/child_watcher.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/associator.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/system_executor.hpp>

#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// A handler of add_child_handler(), whichever of its two forms it has, as a wait's.
template <class Handler>
class child_handler
{
public:
    template <class H>
    child_handler(pid_type pid, H&& handler) : pid_(pid), handler_(std::forward<H>(handler))
    {}

    void operator()(const error_code& ec, child_exit exit)
    {
        if constexpr (std::is_invocable_v<Handler, error_code, child_exit>)
            std::move(handler_)(error_code(ec), std::move(exit));
        else if (ec != asio::error::operation_aborted) // the watcher was closed
            std::move(handler_)(pid_, ec ? returncode_lost : exit.returncode());
    }

    const Handler& handler() const noexcept { return handler_; }

private:
    pid_type pid_;
    Handler handler_;
};

// Names an added handler; never used twice.
LOOPS_DECL std::uint64_t next_handler_token() noexcept;

// Calls the handler that the token names; it being gone, keeps the exit for the next registration.
LOOPS_DECL void complete_handler(const std::shared_ptr<handler_table>& table, pid_type pid,
    std::uint64_t token, const error_code& ec, const child_exit& exit);

// The wait's side of an added handler, which stays in the table until it is called: removing it
// there is all that it takes to have it never run.
struct handler_completion
{
    std::shared_ptr<handler_table> table;
    pid_type pid;
    std::uint64_t token;

    void operator()(const error_code& ec, const child_exit& exit) const
    {
        complete_handler(table, pid, token, ec, exit);
    }
};

template <class Handler>
child_watcher::wait_handler associate_as(const Handler& handler, handler_completion completion)
{
    using executor = asio::associated_executor_t<Handler>;
    auto with_allocator =
        asio::bind_allocator(asio::get_associated_allocator(handler), std::move(completion));
    // What Asio gives where a handler has no executor. Not to be bound: the loop is to choose.
    if constexpr (std::is_same_v<executor, asio::system_executor>)
        return with_allocator;
    else
        return asio::bind_executor(
            asio::get_associated_executor(handler), std::move(with_allocator));
}

} // namespace detail

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, child_exit)) CompletionToken>
auto child_watcher::async_wait(pid_type pid, CompletionToken&& token)
{
    check_pid(pid);
    return asio::async_initiate<CompletionToken, wait_signature>(
        [this](auto&& handler, pid_type child) {
            start_wait(child, wait_handler(std::forward<decltype(handler)>(handler)));
        },
        token, pid);
}

template <class Handler>
void child_watcher::add_child_handler(pid_type pid, Handler&& handler)
{
    error_code ec;
    add_child_handler(pid, std::forward<Handler>(handler), ec);
    if (ec)
        throw_unregistered(pid, ec);
}

template <class Handler>
void child_watcher::add_child_handler(pid_type pid, Handler&& handler, error_code& ec)
{
    using handler_type = std::decay_t<Handler>;
    static_assert(std::is_invocable_v<handler_type, error_code, child_exit> ||
                      std::is_invocable_v<handler_type, pid_type, int>,
        "the handler takes (error_code, child_exit) or (pid, returncode)");
    if (pid <= 0)
    {
        ec = asio::error::invalid_argument;
        return;
    }
    const std::uint64_t token = detail::next_handler_token();
    wait_handler completion =
        detail::associate_as(static_cast<const handler_type&>(handler), {handlers_, pid, token});
    start_handler(pid, token,
        wait_handler(detail::child_handler<handler_type>(pid, std::forward<Handler>(handler))),
        std::move(completion), ec);
}

} // namespace LOOPS_ABI
} // namespace loops

namespace boost {
namespace asio {

template <template <class, class> class Associator, class Handler, class Default>
struct associator<Associator, loops::detail::child_handler<Handler>, Default>
    : Associator<Handler, Default>
{
    static auto get(const loops::detail::child_handler<Handler>& handler) noexcept
    {
        return Associator<Handler, Default>::get(handler.handler());
    }

    static auto get(
        const loops::detail::child_handler<Handler>& handler, const Default& candidate) noexcept
    {
        return Associator<Handler, Default>::get(handler.handler(), candidate);
    }
};

} // namespace asio
} // namespace boost

#endif
