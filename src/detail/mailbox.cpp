// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/mailbox.hpp"

#include "detail/loop_record.hpp"
#include "detail/parking_gate.hpp"
#include "detail/thread_state.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Destroyed unrun, it has been destroyed with the loop, and what waits is as well.
class mailbox::drain
{
public:
    using allocator_type = operation_allocator<char>;

    drain(std::shared_ptr<loop_record> of, work_guard work) noexcept
        : of_(std::move(of)), work_(std::move(work))
    {}

    drain(drain&&) noexcept = default;
    drain& operator=(drain&&) = delete;

    ~drain()
    {
        if (of_)
            of_->mail().discard_all();
    }

    allocator_type get_allocator() const noexcept
    {
        return allocator_type(of_->mail().drain_memory_);
    }

    void operator()()
    {
        const auto of = std::move(of_);
        const auto work = std::move(work_);
        if (asio::io_context* const loop = of->context())
            of->mail().deliver_batch(*loop);
        else
            of->mail().discard_all();
    }

private:
    std::shared_ptr<loop_record> of_;
    work_guard work_;
};

// Stands for a drain that is posted, where nothing has been sent since.
class mailbox::mark final : public mail
{
public:
    static mail* get() noexcept
    {
        static mark it;
        return &it;
    }

    void deliver() override {}
    void discard() noexcept override {}
};

void mailbox::push(asio::io_context& loop, mail& what) noexcept
{
    for (mail* before = inbox_.load(std::memory_order_relaxed);;)
    {
        what.next_ = before;
        if (before != nullptr)
        {
            if (inbox_.compare_exchange_weak(before, &what, std::memory_order_acq_rel))
                return;
            continue;
        }
        // Whoever sends next counts on a drain that is not there yet: work until it is. It takes that
        // with it, since the loop may be gone once it is posted.
        auto work = asio::make_work_guard(loop);
        if (inbox_.compare_exchange_strong(before, &what, std::memory_order_acq_rel))
            return post_drain(std::move(work));
    }
}

bool mailbox::is_empty() const
{
    const std::lock_guard lock(mutex_);
    const mail* const last = inbox_.load(std::memory_order_acquire);
    return first_ == nullptr && (last == nullptr || last == mark::get());
}

// The memory is there: a drain that has begun has given it back.
void mailbox::post_drain(work_guard work) noexcept
{
    const auto executor = work.get_executor();
    asio::post(executor, drain(owner_.shared_from_this(), std::move(work)));
}

void mailbox::deliver_batch(asio::io_context& loop)
{
    const bool more = collect();
    mail* none = nullptr;
    if (more && inbox_.compare_exchange_strong(none, mark::get(), std::memory_order_acq_rel))
        post_drain(asio::make_work_guard(loop));
    mail* next = take();
    if (!more)
    {
        if (next != nullptr)
            next->deliver();
        return;
    }
    const auto now = [] { return std::chrono::steady_clock::now(); };
    batch_limit limit(now());
    while (next != nullptr)
    {
        next->deliver();
        if (limit.reached(now) || loop.stopped() || is_parked_here())
            return;
        next = take();
    }
}

// Adds what is in the inbox to what can be taken; under the lock, so that no other drain comes in
// between with what was sent later. True: it is more than one now.
bool mailbox::collect()
{
    const std::lock_guard lock(mutex_);
    mail* const last = inbox_.exchange(nullptr, std::memory_order_acq_rel);
    mail* first = nullptr;
    for (mail* each = last; each != nullptr && each != mark::get();)
        first = std::exchange(each, std::exchange(each->next_, first));
    if (first != nullptr)
    {
        (first_ != nullptr ? last_->next_ : first_) = first;
        last_ = last;
    }
    return first_ != nullptr && first_ != last_;
}

mail* mailbox::take()
{
    const std::lock_guard lock(mutex_);
    mail* const next = first_;
    if (next != nullptr)
        first_ = next->next_;
    return next;
}

void mailbox::discard_all() noexcept
{
    for (;;) // what is destroyed may send
    {
        collect();
        mail* const next = take();
        if (next == nullptr)
            return;
        next->discard();
    }
}

bool send(loop_record& to, mail& what) noexcept
{
    asio::io_context* const loop = to.context();
    if (loop == nullptr)
        return false;
    to.mail().push(*loop, what);
    return true;
}

loop_record* open_record(asio::io_context& loop)
{
    thread_state& here = thread_state::of_this_thread();
    const std::uint64_t epoch = loop_epoch();
    if (here.called == &loop && here.called_epoch == epoch)
        return here.called_record;
    // Lives as long as the loop, at least, and the epoch ends before that.
    loop_record* const record = record_of(loop).get();
    if (record->context() == nullptr)
        return nullptr;
    here.called = &loop;
    here.called_record = record;
    here.called_epoch = epoch;
    return record;
}

mail_address::mail_address(asio::io_context& loop) : loop_(&loop)
{
    const run_frame* const run = thread_state::of_this_thread().run;
    auto record =
        run != nullptr && run->record->context() == &loop ? run->record : known_record_of(loop);
    if (record && record->context() != nullptr)
        record_ = std::move(record);
    loop.get_executor().on_work_started();
}

mail_address::~mail_address()
{
    asio::io_context* const loop = record_ ? record_->context() : loop_;
    if (loop != nullptr)
        loop->get_executor().on_work_finished();
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
