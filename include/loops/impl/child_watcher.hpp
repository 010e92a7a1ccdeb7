// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_CHILD_WATCHER_HPP
#define LOOPS_IMPL_CHILD_WATCHER_HPP

#include <loops/child_watcher.hpp>
#include <loops/detail/erase_handler.hpp>
#include <loops/detail/no_executor.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/associator.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/error.hpp>

#include <cstdint>
#include <memory>
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

// A handler of async_wait_state(), as a wait's.
template <class Handler>
class state_handler
{
public:
    // Not a constructor of one argument, which would take copies of itself.
    template <class H>
    state_handler(std::in_place_t, H&& handler) : handler_(std::forward<H>(handler))
    {}

    void operator()(const error_code& ec, const child_exit& said)
    {
        std::move(handler_)(error_code(ec), child_state(said));
    }

    const Handler& handler() const noexcept { return handler_; }

private:
    Handler handler_;
};

// Names an added handler; never used twice.
LOOPS_DECL std::uint64_t next_handler_id() noexcept;

// Calls the handler that has this number, unless it was removed or replaced.
LOOPS_DECL void complete_handler(const std::shared_ptr<handler_table>& table, pid_type pid,
    std::uint64_t id, const error_code& ec, const child_exit& exit);

// Destroys the handler that has this number, if it is there.
LOOPS_DECL void abandon_handler(
    const std::shared_ptr<handler_table>& table, pid_type pid, std::uint64_t id) noexcept;

// The wait's side of an added handler, which stays in the table until it is called: removing it
// there is all that it takes to have it never run. Destroyed uncalled, by a loop that goes or an
// executor that throws, it takes the handler with it.
class handler_completion
{
public:
    handler_completion(
        std::shared_ptr<handler_table> table, pid_type pid, std::uint64_t id) noexcept
        : table_(std::move(table)), pid_(pid), id_(id)
    {}

    handler_completion(handler_completion&&) noexcept = default;
    handler_completion& operator=(handler_completion&&) = delete;

    ~handler_completion()
    {
        if (table_)
            abandon_handler(table_, pid_, id_);
    }

    void operator()(const error_code& ec, const child_exit& exit)
    {
        complete_handler(std::exchange(table_, nullptr), pid_, id_, ec, exit);
    }

private:
    std::shared_ptr<handler_table> table_;
    pid_type pid_;
    std::uint64_t id_;
};

template <class Handler>
child_watcher::wait_handler erase_handler(Handler handler)
{
    return erase_handler_as<child_watcher::wait_signature>(std::move(handler));
}

template <class Handler>
child_watcher::wait_handler associate_as(const Handler& handler, handler_completion completion)
{
    auto with_allocator =
        asio::bind_allocator(asio::get_associated_allocator(handler), std::move(completion));
    // Asio would give the system executor; the loop is to choose.
    if constexpr (has_no_executor<Handler>::value)
        return with_allocator;
    else
        return erase_handler(
            asio::bind_executor(asio::get_associated_executor(handler), std::move(with_allocator)));
}

} // namespace detail

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, child_exit)) CompletionToken>
auto child_watcher::async_wait(pid_type pid, CompletionToken&& token)
{
    check_pid(pid);
    return asio::async_initiate<CompletionToken, wait_signature>(
        [this](auto&& handler, pid_type child) {
            start_wait(child, detail::erase_handler<std::decay_t<decltype(handler)>>(
                                  std::forward<decltype(handler)>(handler)));
        },
        token, pid);
}

template <class Process,
    BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, child_exit)) CompletionToken, class>
auto child_watcher::async_wait(Process&& process, CompletionToken&& token)
{
    static_assert(!std::is_lvalue_reference_v<Process>, "the process is taken: std::move() it");
    check_pid(pid_type(process.id()));
    return asio::async_initiate<CompletionToken, wait_signature>(
        [this](auto&& handler, Process taken) {
            const pid_type pid(taken.id());
            taken.detach();
            start_wait(pid, detail::erase_handler<std::decay_t<decltype(handler)>>(
                                std::forward<decltype(handler)>(handler)));
        },
        token, std::forward<Process>(process));
}

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, child_state)) CompletionToken>
auto child_watcher::async_wait_state(pid_type pid, CompletionToken&& token)
{
    check_pid(pid);
    return asio::async_initiate<CompletionToken, state_signature>(
        [this](auto&& handler, pid_type child) {
            using handler_type = std::decay_t<decltype(handler)>;
            start_state_wait(child, detail::erase_handler(detail::state_handler<handler_type>(
                                        std::in_place, std::forward<decltype(handler)>(handler))));
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
    const handler_id id = detail::next_handler_id();
    wait_handler completion =
        detail::associate_as(static_cast<const handler_type&>(handler), {handlers_, pid, id});
    start_handler(pid, id,
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

template <template <class, class> class Associator, class Handler, class Default>
struct associator<Associator, loops::detail::state_handler<Handler>, Default>
    : Associator<Handler, Default>
{
    static auto get(const loops::detail::state_handler<Handler>& handler) noexcept
    {
        return Associator<Handler, Default>::get(handler.handler());
    }

    static auto get(
        const loops::detail::state_handler<Handler>& handler, const Default& candidate) noexcept
    {
        return Associator<Handler, Default>::get(handler.handler(), candidate);
    }
};

} // namespace asio
} // namespace boost

#endif
