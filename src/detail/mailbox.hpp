// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_MAILBOX_HPP
#define LOOPS_SRC_DETAIL_MAILBOX_HPP

#include <loops/detail/batch_limit.hpp>
#include <loops/detail/mail.hpp>

#include "detail/operation_memory.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <mutex>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What other threads, and the loop's own, have sent to a loop, in the order of sending. A drain, a
// handler of the loop, takes what there is when it begins and delivers a batch of it. One drain at a
// time is posted, and one is whenever something waits, also while another is at work. So whatever an
// item does (throw, stop the loop, run the loop's handlers itself, block for an item behind it that
// another thread of the loop can deliver) has the same effect as in a handler of its own.
//
// Nobody who sends waits for another, and a post is made without a lock: whoever it wakes may be put
// in the place of who posts, and would wait for that.
class mailbox
{
public:
    explicit mailbox(loop_record& owner) noexcept : owner_(owner) {}

    mailbox(const mailbox&) = delete;
    mailbox& operator=(const mailbox&) = delete;

    // Touches neither the mail nor, beyond what a post does, the loop once the mail may have been
    // delivered.
    void push(asio::io_context& loop, mail& what) noexcept;

    bool is_empty() const;

private:
    class drain;
    class mark;

    using work_guard = asio::executor_work_guard<asio::io_context::executor_type>;

    void post_drain(work_guard work) noexcept;
    void deliver_batch(asio::io_context& loop);
    bool collect();
    mail* take();
    void discard_all() noexcept;

    // The last one first. Null: no drain is posted. The end of it is null, too, or the mark of a drain
    // that was posted before.
    std::atomic<mail*> inbox_{nullptr};

    loop_record& owner_;
    operation_memory drain_memory_;

    // What drains have taken, the first one first. More than one drain is at work where several
    // threads run the loop, or an item runs its handlers. A fork may find the mutex locked as it may
    // find that of the io_context: not by a parked thread.
    mutable std::mutex mutex_;
    mail* first_ = nullptr;
    mail* last_ = nullptr;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
