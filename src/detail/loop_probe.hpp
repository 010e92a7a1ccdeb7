// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_LOOP_PROBE_HPP
#define LOOPS_SRC_DETAIL_LOOP_PROBE_HPP

#include <loops/config.hpp>

#include <boost/asio/detail/scheduler_operation.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <memory>

// How a loop is asked whether it answers, and looked at from outside. This, alone in the library, uses
// what is inside of Asio:
//
// - A handler that is posted is work. It would keep an idle loop running, and put off the return of a
//   run that is out of work, for as long as loops are watched. Asio's reactors queue operations that
//   do not count (what they deliver was counted when it was begun), and so does a probe: the loop
//   is out of work whether one is queued or not. Such a probe is found in the queue by the next run.
//   It goes the way of any handler: to the end of the queue, past the reactor where the thread sleeps
//   there. So its time to the answer is that of a handler that is posted, on every backend; and whose
//   thread runs the loop, through Loops or not, makes no difference.
// - Whether a loop that nobody runs has anything to do, Asio does not tell. Its count of work is read;
//   taking a unit away to see whether that stops the loop could stop it for somebody who is about
//   to run it.
// - Whether one handler holds the loop up or many before the probe do, shows in whether what is next
//   in the queue changes. To count handlers instead, each run would have to look up after each.

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class loop_record;

// What a loop meets in its queue: no work of the loop's, and no handler of anybody's. It can be put
// there again.
class loop_mark : private asio::detail::scheduler_operation
{
public:
    loop_mark() : operation(&loop_mark::complete) {}
    loop_mark(const loop_mark&) = delete;
    loop_mark& operator=(const loop_mark&) = delete;
    virtual ~loop_mark() = default;

    // Puts it to the end of the queue, where it is not in it; by one thread at a time.
    static void put(const std::shared_ptr<loop_mark>& mark, asio::io_context& loop);

    // Whether the loop has yet to meet it.
    bool is_out() const noexcept { return out_.load(std::memory_order_acquire); }

private:
    using operation = asio::detail::scheduler_operation;

    // Before it is put, and where the loop meets it.
    virtual void leave() {}
    virtual void meet() {}

    static void complete(
        void* owner, operation* base, const boost::system::error_code& ec, std::size_t bytes);

    std::shared_ptr<loop_mark> queued_; // itself, while it is in the loop's queue
    std::atomic<bool> out_{false};
};

// A question to a loop, which its thread answers from a handler of its own. It can be asked again.
class loop_probe final : public loop_mark
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    explicit loop_probe(const std::shared_ptr<loop_record>& record);

    // Asks, if the last time was answered; by one thread at a time. False: the loop is gone.
    static bool send(const std::shared_ptr<loop_probe>& probe);

    // Of the last answer, while the loop has yet to give the next.
    time_point sent_at() const noexcept { return sent_at_; }
    time_point answered_at() const noexcept { return answered_at_; }
    pid_type answered_by() const noexcept { return answered_by_; }

private:
    void leave() override;
    void meet() override;

    const std::shared_ptr<loop_record> record_;
    time_point sent_at_;
    time_point answered_at_;
    pid_type answered_by_ = 0;
};

// False where the loop's concurrency hint forbids other threads to touch it.
bool can_be_probed(asio::io_context& loop);

// How many operations and handlers the loop has yet to do. It changes while threads run the loop.
long work_of(asio::io_context& loop) noexcept;

// What a loop would run next, without a look at its reactor.
enum class next_operation
{
    none,
    handler, // or a mark
    own,     // Asio's, which it counts as a handler: to hand what is begun to io_uring
};
next_operation next_of(asio::io_context& loop);

// What is next in the loop's queue, to be compared and no more. A handler is taken from it when
// it begins.
const void* next_in_queue_of(asio::io_context& loop);

// Whether the run of Asio's that executes the present handler was begun inside of a handler of the same
// loop's. Then it is not the run that a frame is of.
bool is_in_nested_run() noexcept;

// Whether the calling thread is inside of a run of the loop with this key; for a signal handler.
const void* run_key_of(asio::io_context& loop);
bool is_inside_run(const void* run_key);

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
