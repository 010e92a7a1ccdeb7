// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SPAWN_HPP
#define LOOPS_SPAWN_HPP

#include <loops/config.hpp>
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
/// decides when it starts; it counts in its loop's load until it has ended.
///
/// @param executor Where `task` is called. It is not called inside of this function.
///
/// @param task Called as `task(done)`. `done` is a move-only completion handler: call it once, as
/// `done()`, `done(exception_ptr)` or `done(error_code, ...)`, or hand it to an asynchronous
/// operation as its token. Its associated executor is `executor`; its cancellation slot is where
/// the task hears that it is to end. An exception that leaves `task` ends it with that exception;
/// a `done` that is destroyed uncalled ends it with `operation_aborted`.
///
/// @param token The completion token. With `asio::detached` an exception leaves a handler of the
/// loop, and so goes where the policy sends it.
///
/// @par Completion Signature
/// @code void(std::exception_ptr) @endcode
///
/// @par Per-Operation Cancellation
/// Whatever type the task supports: the signal is passed on to it, on its executor.
template <class Executor, class Task,
    BOOST_ASIO_COMPLETION_TOKEN_FOR(void(std::exception_ptr)) CompletionToken,
    std::enable_if_t<!detail::is_awaitable<Task>::value, int> = 0>
auto spawn(const Executor& executor, Task task, CompletionToken&& token);

#if defined(LOOPS_HAS_COROUTINES)

/// Starts a coroutine through the policy's task factory, as `co_spawn` would.
///
/// @param executor Where the coroutine runs.
/// @param task The coroutine.
/// @param token The completion token; see above for `asio::detached`.
///
/// @par Completion Signature
/// @code void(std::exception_ptr, T) @endcode or `void(std::exception_ptr)` for a coroutine of
/// nothing. `T` must be default-constructible.
///
/// @par Per-Operation Cancellation
/// As `co_spawn`'s: a coroutine hears of `terminal` unless it resets its cancellation state.
template <class Executor, class T, class TaskExecutor, class CompletionToken>
auto spawn(
    const Executor& executor, asio::awaitable<T, TaskExecutor> task, CompletionToken&& token);

/// The same, on the loop that this thread's policy selects.
template <class T, class TaskExecutor, class CompletionToken>
auto spawn(asio::awaitable<T, TaskExecutor> task, CompletionToken&& token);

#endif

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/spawn.hpp>

#endif
