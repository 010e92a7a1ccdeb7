// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_ASYNC_INVOKE_HPP
#define LOOPS_ASYNC_INVOKE_HPP

#include <loops/config.hpp>
#include <loops/detail/default_token.hpp>
#include <loops/error.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {

// What a call of a function that returns R completes with.
template <class R>
struct invoke_outcome
{
    using signature = void(std::exception_ptr, R);
    using results = std::tuple<std::exception_ptr, R>;
    static results failed(std::exception_ptr exception)
    {
        return results(std::move(exception), R());
    }
};

template <>
struct invoke_outcome<void>
{
    using signature = void(std::exception_ptr);
    using results = std::tuple<std::exception_ptr>;
    static results failed(std::exception_ptr exception) { return results(std::move(exception)); }
};

template <class Function>
using outcome_of = invoke_outcome<std::invoke_result_t<Function&>>;

} // namespace detail

/// Calls a function on another loop and completes with its result.
///
/// Calls that wait for a loop are its work, and run in the order in which one thread made them. One
/// handler of the loop makes up to 256 of them, but goes on for no more than about 100 us where they
/// take long; then others have their turn. So a flood costs one wake-up for many, and run_one()
/// counts those as one. Completions go back to a loop that Loops knows in the same way. A call that
/// throws from its completion, stops the loop or blocks does so as a handler of its own would.
///
/// @param loop Where `function` is called; not inside of async_invoke(), even if the calling thread
/// runs that loop. It must live until then, and until async_invoke() has returned.
///
/// @param function Called once, without arguments, and destroyed there as soon as it has returned,
/// before the completion. Its result must be default-constructible: that is what accompanies an
/// exception.
///
/// @param token The completion token. The handler runs on its associated executor, never inside of
/// async_invoke(); where it has none, on the loop that runs on the calling thread, and where there
/// is none, on `loop`, or on the system executor where `loop` is closed. For a closed loop it runs on its
/// immediate executor, if it has one (Boost 1.82).
///
/// @par Completion Signature
/// @code void(std::exception_ptr, R) @endcode for a function that returns `R`, else
/// `void(std::exception_ptr)`. The exception is what `function` threw, or a system_error:
/// `error::loop_closed` where the loop was closed before, `operation_aborted` where the call was
/// cancelled.
///
/// @par Per-Operation Cancellation
/// `terminal`, `partial`, `total`: a function that was not called yet never is. One that was called
/// runs to its end and completes normally. The signal must live until the completion.
///
/// @par Thread safety
/// Safe, from any thread.
template <class Function,
    BOOST_ASIO_COMPLETION_TOKEN_FOR(typename detail::outcome_of<Function>::signature)
        CompletionToken = detail::default_token>
auto async_invoke(
    asio::io_context& loop, Function function, CompletionToken&& token = detail::default_token());

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/async_invoke.hpp>

#endif
