// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_TASK_HOOK_HPP
#define LOOPS_DETAIL_TASK_HOOK_HPP

#include <loops/config.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list_hook.hpp>

#include <exception>
#include <memory>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class loop_record;

// A spawned task that has not ended, as its loop sees it.
class task_hook : public boost::intrusive::list_base_hook<>
{
public:
    // Asks the task to end, from any thread. Called with the loop's record locked, so that the
    // task cannot vanish meanwhile: it only posts.
    virtual void request_cancel() = 0;

protected:
    task_hook() = default;
    task_hook(const task_hook&) = delete;
    task_hook& operator=(const task_hook&) = delete;
    ~task_hook() = default;
};

// The task is counted on the loop, and asked to end when a runner of the loop finishes, until it is
// removed from the record that add_task() gave, which may outlive the loop.
LOOPS_DECL std::shared_ptr<loop_record> add_task(asio::io_context& loop, task_hook& task);
LOOPS_DECL void remove_task(loop_record& loop, task_hook& task) noexcept;

// Whether it is a system_error with operation_aborted.
LOOPS_DECL bool is_aborted(const std::exception_ptr& exception) noexcept;

// Whether Loops' own calls refuse the loop.
LOOPS_DECL bool is_closed(asio::io_context& loop);

// What becomes of an exception that nobody waits for: it leaves a handler of that loop, and so
// goes where the loop's and the policy's rules for such exceptions send it.
LOOPS_DECL void throw_from_loop(asio::io_context& loop, std::exception_ptr exception);

// Takes a cancellation handler of ours out of a completion handler's slot: it refers to memory of
// that handler's allocator. Belongs to the handler's executor, as the signal does.
template <class Handler>
void clear_slot(const Handler& handler) noexcept
{
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected())
        slot.clear();
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
