// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_ERROR_HPP
#define LOOPS_ERROR_HPP

#include <loops/config.hpp>

#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <string>
#include <type_traits>

namespace loops {
inline namespace LOOPS_ABI {

using boost::system::error_category;
using boost::system::error_code;
using boost::system::error_condition;
using boost::system::system_error;

/// What can go wrong in Loops itself; the system's own errors keep their own codes.
enum class error
{
    /// The policy has no current loop for the calling thread.
    no_current_event_loop = 1,
    /// No loop is running on the calling thread, or none that could deliver a wait.
    no_running_event_loop,
    /// The loop, the policy's set of threads, or the supervisor, is running already.
    already_running,
    /// The loop was closed.
    loop_closed,
    /// The policy was closed, or is draining, and gives out no loop for new work.
    policy_closed,
    /// The policy wants an Asio backend that this build does not hold.
    backend_unavailable,
    /// The queue of tasks that wait for their turn is full.
    queue_full,
    /// The object was made in the parent of this process.
    forked,
    /// The pid names no process that this process may wait for.
    not_a_child,
    /// The child ended, but somebody else took its status, or the kernel discarded it.
    child_status_lost,
    /// The watcher is detached: a registration made now would not be delivered.
    watcher_inactive,
    /// The watcher was closed.
    watcher_closed,
    /// A supervisor's workers had to be restarted too often.
    restart_limit,
    /// A worker's new process could not be started, or has ended, or was not ready in time.
    worker_failed,
    /// The supervisor does not run.
    supervisor_not_running,
};

/// The category of @ref error. There is one object in a process. Thread safe.
LOOPS_DECL const error_category& loops_category() noexcept;

/// Makes an `error_code` of a value of @ref error.
inline error_code make_error_code(error e) noexcept
{
    return error_code(static_cast<int>(e), loops_category());
}

namespace detail {

// Throws system_error(ec, what); `what` says what was attempted, on what, and what to do.
[[noreturn]] LOOPS_DECL void throw_error(error_code ec, const std::string& what);

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

namespace boost {
namespace system {

template <>
struct is_error_code_enum<loops::error> : std::true_type
{};

} // namespace system
} // namespace boost

#endif
