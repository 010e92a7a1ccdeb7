// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SPAWN_HPP
#define LOOPS_SPAWN_HPP

#include <loops/config.hpp>
#include <loops/detail/default_token.hpp>
#include <loops/policy.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/detached.hpp>

#include <exception>
#include <type_traits>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {

template <class T>
struct is_awaitable : std::false_type
{};

#if defined(LOOPS_HAS_COROUTINES)
template <class T, class Executor>
struct is_awaitable<asio::awaitable<T, Executor>> : std::true_type
{};
#endif

} // namespace detail

/// Starts a task that reports its own end: what a coroutine is for those who have none.
///
/// The task is handed to the policy's task factory (event_loop_policy::set_task_factory()), which
/// decides when it starts; it counts in its loop's load until it has ended. Until then it is
/// outstanding work of its executor, while it waits for its start included, and of the completion
/// handler's.
///
/// @param executor Where `task` is called: never inside of this function. Its loop must live until
/// the task has ended, or end it by being closed.
///
/// @param task Called as `task(done)`, once; it is moved, and destroyed when it has returned. `done`
/// is a move-only completion handler: call it once, as `done()`, `done(exception_ptr)` or
/// `done(error_code, ...)`, or hand it to an asynchronous operation as its token. Its associated
/// executor is `executor`; its cancellation slot is where the task hears that it is to end. An
/// exception that leaves `task` ends it with that exception; a `done` that is destroyed uncalled
/// ends it with `operation_aborted`.
///
/// @param token The completion token. The handler runs on its associated executor, by default
/// `executor`: never inside of this function, but possibly inside of the call of `done`. With
/// `asio::detached` an exception leaves a handler of the loop, and so goes where the policy sends
/// it; `operation_aborted` does not after a runner has asked the task to end.
///
/// @par Completion Signature
/// @code void(std::exception_ptr) @endcode
/// Beside what the task itself ends with, the exception may be a system_error:
/// @li `error::loop_closed`, where the loop was closed before. A handler without an executor of its
///     own then runs on the system executor. A detached task has nobody to tell: spawn() throws it.
/// @li `operation_aborted`, where the task factory dropped the task, or a runner asked it to end
///     before it started.
/// @li what the task factory refused the task with, `error::queue_full` for example; or what left
///     the factory, where that has not passed the task on. Where it has, its exception leaves a
///     handler of the loop, as a detached task's does.
///
/// @par Per-Operation Cancellation
/// Whatever type the task supports: the signal is passed on to it, on its executor. A task that
/// waits for its start is ended by any type, at once. The signal must live until the completion.
///
/// @throws What making the process's first policy throws. Nothing was started then.
///
/// @par Thread safety
/// Safe, from any thread. `done` may be called on any thread. Where several threads run the
/// loop, a task that is to be cancelled needs a strand as its `executor`: without one the signal
/// reaches it on one thread while it runs on another.
///
/// @par Example
/// @code
/// loops::spawn(
///     loops::get_executor(),
///     [&](auto done) { timer.async_wait(std::move(done)); },
///     [](std::exception_ptr exception) {
///         if (exception)
///             std::puts("the wait was cut short");
///     });
/// @endcode
///
/// @see runner, which waits for tasks; task, for factories.
template <class Executor, class Task,
    BOOST_ASIO_COMPLETION_TOKEN_FOR(void(std::exception_ptr))
        CompletionToken = detail::default_token,
    std::enable_if_t<!detail::is_awaitable<Task>::value, int> = 0>
auto spawn(const Executor& executor, Task task, CompletionToken&& token = detail::default_token());

#if defined(LOOPS_HAS_COROUTINES)

/// Starts a coroutine through the policy's task factory, as `co_spawn` would.
///
/// What is said above of a task's start, load and work holds for coroutines.
///
/// @param executor Where the coroutine runs: it does not begin inside of this function. Its loop
/// must live until the coroutine has ended; a closed loop destroys it.
///
/// @param task The coroutine. What it refers to must live until the completion; parameters that it
/// takes by value live in its frame, the captures of a lambda that it came from do not.
///
/// @param token The completion token. The handler runs on its associated executor, by default
/// `executor`: never inside of this function, but possibly at the end of the coroutine's last
/// step. See above for `asio::detached`.
///
/// @par Completion Signature
/// @code void(std::exception_ptr, T) @endcode or `void(std::exception_ptr)` for a coroutine of
/// nothing. `T` must be default-constructible: that is what accompanies an exception. The exception
/// is what left the coroutine, or one of those named above.
///
/// @par Per-Operation Cancellation
/// As `co_spawn`'s: a coroutine hears of `terminal` unless it resets its cancellation state. The
/// signal is passed on on `executor`, and must live until the completion. A coroutine that waits
/// for its start is ended by any type, at once.
///
/// @throws As above.
///
/// @par Thread safety
/// Safe, from any thread. To cancel a coroutine on a loop that several threads run, spawn it on a
/// strand of that loop: without one the signal reaches it on one thread while it runs on another.
///
/// @par Example
/// @code
/// asio::awaitable<std::string> greeting();
///
/// asio::awaitable<void> greet()
/// {
///     const std::string text = co_await loops::spawn(greeting(), asio::use_awaitable);
///     std::puts(text.c_str());
/// }
///
/// loops::spawn(asio::make_strand(loops::get_executor()), greet(), asio::detached);
/// @endcode
template <class Executor, class T, class TaskExecutor,
    class CompletionToken = detail::default_token>
auto spawn(const Executor& executor, asio::awaitable<T, TaskExecutor> task,
    CompletionToken&& token = detail::default_token());

/// Starts a coroutine, as above, on the loop that this thread's policy selects.
///
/// @throws As get_executor() as well.
template <class T, class TaskExecutor, class CompletionToken = detail::default_token>
auto spawn(
    asio::awaitable<T, TaskExecutor> task, CompletionToken&& token = detail::default_token());

#endif

/// Starts a task as spawn() does, but not later: where a bound would have it wait for its start, it
/// completes with `error::queue_full` instead, and does not run.
///
/// For tasks that are waited for by a task under the same bound: see bounded_policy.
///
/// All else is said of spawn(). A task factory of your own has to ask task::may_wait().
///
/// @par Example
/// @code
/// loops::try_spawn(
///     executor, [&](auto done) { look_up(name, std::move(done)); },
///     [&](std::exception_ptr exception) {
///         if (exception)
///             answer_from_cache(name);
///     });
/// @endcode
template <class Executor, class Task,
    BOOST_ASIO_COMPLETION_TOKEN_FOR(void(std::exception_ptr))
        CompletionToken = detail::default_token,
    std::enable_if_t<!detail::is_awaitable<Task>::value, int> = 0>
auto try_spawn(
    const Executor& executor, Task task, CompletionToken&& token = detail::default_token());

#if defined(LOOPS_HAS_COROUTINES)

/// The same for a coroutine. One that does not run is destroyed before its completion handler is
/// called.
template <class Executor, class T, class TaskExecutor,
    class CompletionToken = detail::default_token>
auto try_spawn(const Executor& executor, asio::awaitable<T, TaskExecutor> task,
    CompletionToken&& token = detail::default_token());

/// The same on the loop that this thread's policy selects.
///
/// @throws As get_executor() as well.
template <class T, class TaskExecutor, class CompletionToken = detail::default_token>
auto try_spawn(
    asio::awaitable<T, TaskExecutor> task, CompletionToken&& token = detail::default_token());

#endif

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/spawn.hpp>

#endif
