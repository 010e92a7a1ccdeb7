// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BROADCAST_HPP
#define LOOPS_BROADCAST_HPP

#include <loops/config.hpp>
#include <loops/detail/default_token.hpp>
#include <loops/policy.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

/// Calls a function once on each loop of a policy, and completes when all of these calls have ended.
///
/// Like async_invoke(), for many loops: a flood of broadcasts costs each loop one wake-up for many.
///
/// @param policy Its loops, as event_loop_policy::for_each_loop() visits them when the operation
/// starts, are meant. All must live until then, and each until it has called.
///
/// @param function Called without arguments; what it returns is dropped. Each loop calls a copy of its
/// own, at the same time as others do, and destroys it as soon as it has returned. get_running_loop()
/// gives the loop there. Not called inside of async_broadcast(), even on the loop of the calling
/// thread.
///
/// @param token The completion token. The handler runs on its associated executor, never inside of
/// async_broadcast(); where it has none, on the loop that runs on the calling thread, and where there
/// is none, on the system executor.
///
/// @par Completion Signature
/// `void(std::exception_ptr)`: null, or the first exception: what a call threw; what copying the
/// function threw, or visiting the loops, as `error::policy_closed`, after which no more loops are
/// asked; a system_error with `error::loop_closed` for a loop that was closed, or ended before it
/// called; or with `operation_aborted`. An exception of one call keeps no other loop from calling.
///
/// @par Per-Operation Cancellation
/// `terminal`, `partial`, `total`: loops that have not called yet never do, and are not waited for.
/// Calls under way run to their end. Where none is left out, the broadcast completes normally. The
/// signal must live until the completion.
///
/// @par Thread safety
/// Safe, from any thread.
///
/// @par Complexity
/// Linear in the loops; a piece of memory for each, by the handler's allocator.
template <class Function, BOOST_ASIO_COMPLETION_TOKEN_FOR(void(std::exception_ptr))
                              CompletionToken = detail::default_token>
auto async_broadcast(event_loop_policy& policy, Function function,
    CompletionToken&& token = detail::default_token());

/// The same for loops of one's own choice.
///
/// @param loops None is null. One that is named twice calls twice. None at all: it completes without a call,
/// though never inside of this function.
template <class Function, BOOST_ASIO_COMPLETION_TOKEN_FOR(void(std::exception_ptr))
                              CompletionToken = detail::default_token>
auto async_broadcast(std::vector<asio::io_context*> loops, Function function,
    CompletionToken&& token = detail::default_token());

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/broadcast.hpp>

#endif
