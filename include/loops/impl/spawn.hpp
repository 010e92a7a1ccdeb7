// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_SPAWN_HPP
#define LOOPS_IMPL_SPAWN_HPP

#include <loops/detail/io_context_of.hpp>
#include <loops/detail/task_hook.hpp>
#include <loops/error.hpp>
#include <loops/task.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>
#if defined(LOOPS_HAS_COROUTINES)
#include <boost/asio/co_spawn.hpp>
#endif

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The completion of a detached task.
class throw_detached
{
public:
    explicit throw_detached(asio::io_context* loop) noexcept : loop_(loop) {}

    template <class... Results>
    void operator()(std::exception_ptr exception, const Results&...) const
    {
        if (!exception)
            return;
        if (loop_ == nullptr)
            std::rethrow_exception(exception);
        throw_from_loop(*loop_, std::move(exception));
    }

private:
    asio::io_context* loop_;
};

// The life of a spawned task, from spawn() to its completion: what it is counted by, cancelled
// through, and completed with. Derived classes know how it starts.
template <class Executor, class Handler, class... Results>
class spawned : public startable,
                public task_hook,
                public std::enable_shared_from_this<spawned<Executor, Handler, Results...>>
{
public:
    spawned(const Executor& executor, Handler handler)
        : executor_(executor),
          handler_(std::move(handler)),
          work_(asio::get_associated_executor(*handler_, executor_)),
          loop_(io_context_of(executor_))
    {}

    // Before anything can end it. Throws loop_closed.
    void enroll()
    {
        if (loop_ != nullptr)
            record_ = add_task(*loop_, *this);
        auto slot = asio::get_associated_cancellation_slot(*handler_);
        if (!slot.is_connected())
            return;
        slot.assign(forward{this->weak_from_this()});
        in_slot_ = true;
    }

    // Completes a task that could not be enrolled. On its loop nothing runs any more.
    void complete_elsewhere(std::exception_ptr exception)
    {
        if constexpr (std::is_same_v<Handler, throw_detached>)
            std::rethrow_exception(exception);
        else
            complete(asio::get_associated_executor(*handler_, asio::system_executor()),
                std::tuple<>(), delivery::post, std::move(exception), Results()...);
    }

    // Keeps the executor at work for a task that may have to wait for its start.
    void hold() { held_.emplace(executor_); }

    // The task factory has returned, or thrown: of a task that it refused meanwhile this is the
    // end, so that a task that is dropped by an exception completes with that exception.
    void launched(std::exception_ptr failure)
    {
        if (stage_.exchange(stage::launched) == stage::refused)
            end_refused(failure ? std::move(failure) : refusal());
        else if (failure && loop_ != nullptr)
            throw_from_loop(*loop_, std::move(failure));
        else if (failure)
            std::rethrow_exception(failure);
    }

    asio::io_context* loop() const noexcept override { return loop_; }

    // From any thread. The signal itself belongs to the task's executor.
    void request_cancel() override
    {
        told_to_end_ = true;
        cancel(asio::cancellation_type::terminal);
    }

    void start(std::function<void()> on_end) override
    {
        on_end_ = std::move(on_end);
        if (told_to_end_)
        {
            refuse(asio::error::operation_aborted);
            return;
        }
        begin();
        held_.reset();
    }

    void refuse(error_code ec) override
    {
        refused_with_ = ec;
        if (stage_.exchange(stage::refused) == stage::launched)
            end_refused(refusal());
    }

    const Executor& executor() const noexcept { return executor_; }
    asio::cancellation_slot slot() noexcept { return signal_.slot(); }

    void end(std::exception_ptr exception, Results... results)
    {
        if (handler_)
            complete(asio::get_associated_executor(*handler_, executor_), std::move(work_),
                delivery::dispatch, std::move(exception), std::move(results)...);
    }

    // The task lost its way to tell its end. Not inline: this happens in destructors, and a handler
    // may throw.
    void drop()
    {
        if (handler_)
            complete(asio::get_associated_executor(*handler_, executor_), std::move(work_),
                delivery::post,
                std::make_exception_ptr(system_error(asio::error::operation_aborted)),
                Results()...);
    }

protected:
    ~spawned() override { retire(); }

    virtual void begin() = 0;

private:
    enum class stage
    {
        launching,
        refused,
        launched,
    };

    enum class delivery
    {
        dispatch,
        post,
    };

    using handler_executor = asio::associated_executor_t<Handler, Executor>;

    struct forward
    {
        std::weak_ptr<spawned> to;
        void operator()(asio::cancellation_type type)
        {
            if (const auto task = to.lock())
                task->cancel(type);
        }
    };

    template <class Alloc, class F>
    struct with_alloc
    {
        using allocator_type = Alloc;
        Alloc alloc;
        F f;
        allocator_type get_allocator() const noexcept { return alloc; }
        void operator()() { std::move(f)(); }
    };

    template <class Alloc, class F>
    static with_alloc<Alloc, F> bound_alloc(const Alloc& alloc, F f)
    {
        return {alloc, std::move(f)};
    }

    void cancel(asio::cancellation_type type)
    {
        if (auto self = this->weak_from_this().lock())
            asio::post(executor_, [self = std::move(self), type] { self->signal_.emit(type); });
    }

    std::exception_ptr refusal() const
    {
        return std::make_exception_ptr(system_error(refused_with_, "the task was not started"));
    }

    void end_refused(std::exception_ptr exception)
    {
        if (handler_)
            complete(asio::get_associated_executor(*handler_, executor_), std::move(work_),
                delivery::post, std::move(exception), Results()...);
        held_.reset();
    }

    template <class To, class Work>
    void complete(
        const To& to, Work work, delivery how, std::exception_ptr exception, Results... results)
    {
        // A runner has asked the task to end, and knows that it did.
        if constexpr (std::is_same_v<Handler, throw_detached>)
        {
            if (told_to_end_ && is_aborted(exception))
                exception = nullptr;
        }
        // Elsewhere than on its loop the task is counted until its completion is on the way, so
        // that a runner that waits for the last task finds the completion queued.
        const bool inside = loop_ == nullptr || loop_->get_executor().running_in_this_thread();
        if (inside)
            retire();
        if (on_end_)
            std::exchange(on_end_, nullptr)();
        Handler handler = std::move(*handler_);
        handler_.reset();
        const auto alloc = asio::get_associated_allocator(handler);
        // The work goes with the handler: the handler's loop may be gone as soon as it has run.
        auto call = asio::bind_executor(
            to, bound_alloc(alloc, [handler = std::move(handler), work = std::move(work),
                                       in_slot = in_slot_, exception = std::move(exception),
                                       results = std::make_tuple(std::move(results)...)]() mutable {
                if (in_slot)
                    clear_slot(handler);
                std::apply(std::move(handler),
                    std::tuple_cat(std::make_tuple(std::move(exception)), std::move(results)));
            }));
        if (how == delivery::post)
            asio::post(std::move(call));
        else
            asio::dispatch(std::move(call));
        retire();
    }

    void retire() noexcept
    {
        if (record_)
            remove_task(*std::exchange(record_, nullptr), *this);
    }

    const Executor executor_;
    std::optional<Handler> handler_;
    asio::executor_work_guard<handler_executor> work_;
    asio::io_context* const loop_;
    std::shared_ptr<loop_record> record_;
    asio::cancellation_signal signal_;
    std::function<void()> on_end_;
    std::optional<asio::executor_work_guard<Executor>> held_;
    std::atomic<stage> stage_{stage::launching};
    std::atomic<bool> told_to_end_{false};
    error_code refused_with_;
    bool in_slot_ = false;
};

// What a C++17 task is given to report its end with.
template <class State>
class task_done
{
public:
    using executor_type = std::decay_t<decltype(std::declval<State&>().executor())>;
    using cancellation_slot_type = asio::cancellation_slot;

    explicit task_done(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

    task_done(task_done&&) noexcept = default;
    task_done& operator=(task_done&&) = delete;

    ~task_done() // NOLINT(bugprone-exception-escape): without memory nobody could hear of the end
    {
        if (state_)
            state_->drop();
    }

    executor_type get_executor() const noexcept { return state_->executor(); }
    cancellation_slot_type get_cancellation_slot() const noexcept { return state_->slot(); }

    void operator()(std::exception_ptr exception = nullptr)
    {
        if (const auto state = std::exchange(state_, nullptr))
            state->end(std::move(exception));
    }

    template <class... Ignored>
    void operator()(error_code ec, const Ignored&...)
    {
        (*this)(ec ? std::make_exception_ptr(system_error(ec)) : nullptr);
    }

private:
    std::shared_ptr<State> state_;
};

template <class Executor, class Handler, class Task>
class spawned_function final : public spawned<Executor, Handler>
{
public:
    spawned_function(const Executor& executor, Handler handler, Task task)
        : spawned<Executor, Handler>(executor, std::move(handler)), task_(std::move(task))
    {}

private:
    void begin() override
    {
        auto self = std::static_pointer_cast<spawned_function>(this->shared_from_this());
        asio::post(this->executor(), [self = std::move(self)]() mutable {
            Task task = std::move(*self->task_);
            self->task_.reset();
            try
            {
                task(task_done<spawned_function>(self));
            }
            catch (...)
            {
                self->end(std::current_exception());
            }
        });
    }

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
    spawned_coroutine(
        const Executor& executor, Handler handler, asio::awaitable<T, TaskExecutor> task)
        : base(executor, std::move(handler)), task_(std::move(task))
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
    try
    {
        state->enroll();
    }
    catch (const system_error&) // a closed loop
    {
        state->complete_elsewhere(std::current_exception());
        return;
    }
    if (!factory)
    {
        state->launched(nullptr);
        state->start({});
        return;
    }
    state->hold();
    std::exception_ptr failure;
    try
    {
        factory(task(state));
    }
    catch (...)
    {
        failure = std::current_exception();
    }
    state->launched(std::move(failure));
}

template <class Executor, class Token>
decltype(auto) unless_detached(const Executor& executor, Token&& token)
{
    if constexpr (std::is_same_v<std::decay_t<Token>, asio::detached_t>)
        return throw_detached(io_context_of(executor));
    else
        return std::forward<Token>(token);
}

} // namespace detail

template <class Executor, class Task,
    BOOST_ASIO_COMPLETION_TOKEN_FOR(void(std::exception_ptr)) CompletionToken,
    std::enable_if_t<!detail::is_awaitable<Task>::value, int>>
auto spawn(const Executor& executor, Task task, CompletionToken&& token)
{
    auto&& wanted = detail::unless_detached(executor, token);
    using token_type = std::remove_reference_t<decltype(wanted)>;
    return asio::async_initiate<token_type, void(std::exception_ptr)>(
        [executor](auto&& handler, Task what) {
            using handler_type = std::decay_t<decltype(handler)>;
            using state = detail::spawned_function<Executor, handler_type, Task>;
            const auto alloc = asio::get_associated_allocator(handler);
            detail::launch(std::allocate_shared<state>(
                alloc, executor, std::forward<decltype(handler)>(handler), std::move(what)));
        },
        wanted, std::move(task));
}

#if defined(LOOPS_HAS_COROUTINES)

template <class Executor, class T, class TaskExecutor, class CompletionToken>
auto spawn(const Executor& executor, asio::awaitable<T, TaskExecutor> task, CompletionToken&& token)
{
    using signature = std::conditional_t<std::is_void_v<T>, void(std::exception_ptr),
        void(std::exception_ptr, std::conditional_t<std::is_void_v<T>, int, T>)>;
    auto&& wanted = detail::unless_detached(executor, token);
    using token_type = std::remove_reference_t<decltype(wanted)>;
    return asio::async_initiate<token_type, signature>(
        [executor](auto&& handler, asio::awaitable<T, TaskExecutor> what) {
            using handler_type = std::decay_t<decltype(handler)>;
            using state = detail::spawned_coroutine<Executor, handler_type, T, TaskExecutor>;
            const auto alloc = asio::get_associated_allocator(handler);
            detail::launch(std::allocate_shared<state>(
                alloc, executor, std::forward<decltype(handler)>(handler), std::move(what)));
        },
        wanted, std::move(task));
}

template <class T, class TaskExecutor, class CompletionToken>
auto spawn(asio::awaitable<T, TaskExecutor> task, CompletionToken&& token)
{
    return spawn(get_executor(), std::move(task), std::forward<CompletionToken>(token));
}

#endif

} // namespace LOOPS_ABI
} // namespace loops

#endif
