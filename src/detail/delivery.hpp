// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_DELIVERY_HPP
#define LOOPS_SRC_DETAIL_DELIVERY_HPP

#include <loops/child_watcher.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/io_context.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class wait_service;

// Where the completion of a handler is to run.
struct destination
{
    asio::any_completion_executor executor; // the handler's own; empty where it has none
    wait_service* service = nullptr;        // for that: of the loop behind it, or the background's
    bool runs_plainly = false;              // the executor is the loop's, and nothing more
    bool shut = false;                      // the loop behind it is closed

    explicit destination(const child_watcher::wait_handler& handler);

    // What to keep until the completion: it counts as work. Empty where the loop itself will do.
    asio::any_completion_executor work() const;
};

// What delivers where neither the handler nor the watcher has a loop: the running one, or the
// thread's existing one. Null: there is none. Policy code runs: no lock may be held.
wait_service* existing_service();

// The same, and the background there being none.
wait_service& any_service();

// The loop behind an executor; for an empty one that of existing_service(); else the background's. Throws
// loop_closed.
asio::io_context& loop_of(const asio::any_completion_executor& executor);

// An executor that waits for what is to complete on it: empty for an empty one.
asio::any_completion_executor tracked(const asio::any_completion_executor& executor);

// Completes a handler with an error, as a wait without a watcher. Not inline.
void deliver(child_watcher::wait_handler handler, const error_code& ec);

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
