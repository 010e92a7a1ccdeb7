// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_SPAWN_HPP
#define LOOPS_IMPL_SPAWN_HPP

#include <loops/detail/spawned.hpp>
#include <loops/error.hpp>
#include <loops/task.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#if defined(LOOPS_HAS_COROUTINES)
#include <boost/asio/co_spawn.hpp>
#endif

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

template <class Executor, class Handler, class Task>
class spawned_function final : public spawned<Executor, Handler>
{
    using base = spawned<Executor, Handler>;

public:
    spawned_function(const Executor& executor, Handler handler, bool may_wait, Task task)
        : base(executor, std::move(handler), may_wait), task_(std::move(task))
    {}

    // An exception that leaves the task destroys what it was given on its way, and counts more than
    // that: while the task is being called its drop waits for the call's outcome.
    void drop()
    {
        if ((call_.fetch_or(dropped) & returned) != 0)
            base::drop();
    }

private:
    static constexpr unsigned dropped = 1;
    static constexpr unsigned returned = 2;

    void begin() override
    {
        auto self = std::static_pointer_cast<spawned_function>(this->shared_from_this());
        asio::post(this->executor(), [self = std::move(self)] { self->call(self); });
    }

    void call(const std::shared_ptr<spawned_function>& self)
    {
        Task task = std::move(*task_);
        task_.reset();
        try
        {
            task(task_done<spawned_function>(self));
        }
        catch (...)
        {
            this->end(std::current_exception());
        }
        if ((call_.fetch_or(returned) & dropped) != 0)
            base::drop();
    }

    std::atomic<unsigned> call_{0};
    std::optional<Task> task_;
};

#if defined(LOOPS_HAS_COROUTINES)

template <class Executor, class Handler, class T, class TaskExecutor>
class spawned_coroutine final
    : public std::conditional_t<std::is_void_v<T>, spawned<Executor, Handler>,
          spawned<Executor, Handler, std::conditional_t<std::is_void_v<T>, int, T>>>
{
    using base = std::conditional_t<std::is_void_v<T>, spawned<Executor, Handler>,
        spawned<Executor, Handler, std::conditional_t<std::is_void_v<T>, int, T>>>;

public:
    spawned_coroutine(const Executor& executor, Handler handler, bool may_wait,
        asio::awaitable<T, TaskExecutor> task)
        : base(executor, std::move(handler), may_wait), task_(std::move(task))
    {}

private:
    void begin() override
    {
        auto self = std::static_pointer_cast<spawned_coroutine>(this->shared_from_this());
        const auto slot = this->slot();
        asio::co_spawn(this->executor(), std::move(task_),
            asio::bind_cancellation_slot(
                slot, asio::bind_executor(this->executor(),
                          [self = std::move(self)](std::exception_ptr exception, auto... result) {
                              self->end(std::move(exception), std::move(result)...);
                          })));
    }

    asio::awaitable<T, TaskExecutor> task_;
};

#endif

// Hands a task to the factory of this thread's policy, or starts it where there is none.
template <class State>
void launch(std::shared_ptr<State> state)
{
    const task_factory factory = get_event_loop_policy()->get_task_factory();
    std::exception_ptr refusal;
    try
    {
        state->enroll();
    }
    catch (const system_error&) // a closed loop
    {
        refusal = std::current_exception();
    }
    if (refusal) // which goes to another thread, for good: this one has left it
    {
        state->complete_elsewhere(std::move(refusal));
        return;
    }
    if (factory)
        state->hold();
    task(std::move(state)).pass_to(factory);
}

template <class Executor, class Token>
decltype(auto) unless_detached(const Executor& executor, Token&& token)
{
    if constexpr (std::is_same_v<std::decay_t<Token>, asio::detached_t>)
        return throw_detached(io_context_of(executor));
    else
        return std::forward<Token>(token);
}

template <class Executor, class Task, class Token>
auto spawn_function(const Executor& executor, Task task, Token&& token, bool may_wait)
{
    auto&& wanted = unless_detached(executor, token);
    using token_type = std::remove_reference_t<decltype(wanted)>;
    return asio::async_initiate<token_type, void(std::exception_ptr)>(
        [executor, may_wait](auto&& handler, Task what) {
            using handler_type = std::decay_t<decltype(handler)>;
            using state = spawned_function<Executor, handler_type, Task>;
            const auto alloc = asio::get_associated_allocator(handler);
            launch(std::allocate_shared<state>(alloc, executor,
                std::forward<decltype(handler)>(handler), may_wait, std::move(what)));
        },
        wanted, std::move(task));
}

#if defined(LOOPS_HAS_COROUTINES)

template <class Executor, class T, class TaskExecutor, class Token>
auto spawn_coroutine(
    const Executor& executor, asio::awaitable<T, TaskExecutor> task, Token&& token, bool may_wait)
{
    using signature = std::conditional_t<std::is_void_v<T>, void(std::exception_ptr),
        void(std::exception_ptr, std::conditional_t<std::is_void_v<T>, int, T>)>;
    auto&& wanted = unless_detached(executor, token);
    using token_type = std::remove_reference_t<decltype(wanted)>;
    return asio::async_initiate<token_type, signature>(
        [executor, may_wait](auto&& handler, asio::awaitable<T, TaskExecutor> what) {
            using handler_type = std::decay_t<decltype(handler)>;
            using state = spawned_coroutine<Executor, handler_type, T, TaskExecutor>;
            const auto alloc = asio::get_associated_allocator(handler);
            launch(std::allocate_shared<state>(alloc, executor,
                std::forward<decltype(handler)>(handler), may_wait, std::move(what)));
        },
        wanted, std::move(task));
}

#endif

} // namespace detail

template <class Executor, class Task,
    BOOST_ASIO_COMPLETION_TOKEN_FOR(void(std::exception_ptr)) CompletionToken,
    std::enable_if_t<!detail::is_awaitable<Task>::value, int>>
auto spawn(const Executor& executor, Task task, CompletionToken&& token)
{
    return detail::spawn_function(
        executor, std::move(task), std::forward<CompletionToken>(token), true);
}

template <class Executor, class Task,
    BOOST_ASIO_COMPLETION_TOKEN_FOR(void(std::exception_ptr)) CompletionToken,
    std::enable_if_t<!detail::is_awaitable<Task>::value, int>>
auto try_spawn(const Executor& executor, Task task, CompletionToken&& token)
{
    return detail::spawn_function(
        executor, std::move(task), std::forward<CompletionToken>(token), false);
}

#if defined(LOOPS_HAS_COROUTINES)

template <class Executor, class T, class TaskExecutor, class CompletionToken>
auto spawn(const Executor& executor, asio::awaitable<T, TaskExecutor> task, CompletionToken&& token)
{
    return detail::spawn_coroutine(
        executor, std::move(task), std::forward<CompletionToken>(token), true);
}

template <class T, class TaskExecutor, class CompletionToken>
auto spawn(asio::awaitable<T, TaskExecutor> task, CompletionToken&& token)
{
    return spawn(get_executor(), std::move(task), std::forward<CompletionToken>(token));
}

template <class Executor, class T, class TaskExecutor, class CompletionToken>
auto try_spawn(
    const Executor& executor, asio::awaitable<T, TaskExecutor> task, CompletionToken&& token)
{
    return detail::spawn_coroutine(
        executor, std::move(task), std::forward<CompletionToken>(token), false);
}

template <class T, class TaskExecutor, class CompletionToken>
auto try_spawn(asio::awaitable<T, TaskExecutor> task, CompletionToken&& token)
{
    return try_spawn(get_executor(), std::move(task), std::forward<CompletionToken>(token));
}

#endif

} // namespace LOOPS_ABI
} // namespace loops

#endif
