// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_PARKING_HPP
#define LOOPS_PARKING_HPP

#include <loops/config.hpp>

#include <memory>

namespace loops {
inline namespace LOOPS_ABI {

/// Keeps every other thread out of every loop, for a fork after which the child uses loops of its
/// parent.
///
/// @code
/// loops::parking parked;
/// loops::notify_fork(asio::execution_context::fork_prepare);
/// const pid_t pid = ::fork();
/// loops::notify_fork(pid == 0 ? asio::execution_context::fork_child
///                             : asio::execution_context::fork_parent);
/// @endcode
///
/// While it lives, threads that run loops through Loops (by a policy, event_loop's functions or
/// run_loop()) wait between two handlers, and a run that is to begin waits as well. What the
/// handlers have started goes on: timers and operations of the loops complete afterwards. In the
/// child, where the threads do not exist, the loops can be run again once notify_fork() has told
/// them.
///
/// A run that was not made through Loops is not seen, and not parked.
///
/// @par Thread safety
/// One at a time in a process: a second one waits for the end of the first. Constructed inside of
/// a handler, it parks the other threads only. It belongs on the stack of the thread that forks.
class LOOPS_DECL parking
{
public:
    /// Waits until the handlers that run now have returned, and all threads are parked.
    parking();

    parking(const parking&) = delete;
    parking& operator=(const parking&) = delete;

    /// Lets the threads go on.
    ~parking();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
