// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/loop_probe.hpp"

#include "detail/loop_record.hpp"
#include "detail/thread_state.hpp"

#include <boost/asio/detail/scheduler.hpp>
#if defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
#include <boost/asio/detail/io_uring_service.hpp>
#endif

#include <cstddef>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

using asio::detail::scheduler;

// The name of a private member may stand in an explicit instantiation; the friend hands it out.
template <class Member, typename Member::type Pointer>
struct opened
{
    friend typename Member::type open(Member) { return Pointer; }
};

struct work_count
{
    using type = asio::detail::atomic_count scheduler::*;
    friend type open(work_count);
};
template struct opened<work_count, &scheduler::outstanding_work_>;

struct queue
{
    using type = asio::detail::op_queue<asio::detail::scheduler_operation> scheduler::*;
    friend type open(queue);
};
template struct opened<queue, &scheduler::op_queue_>;

struct queue_mutex
{
    using type = asio::detail::conditionally_enabled_mutex scheduler::*;
    friend type open(queue_mutex);
};
template struct opened<queue_mutex, &scheduler::mutex_>;

// The same for a member whose type is private, too.
template <class Tag, class Of, auto Pointer>
struct located
{
    friend const void* address_of(Tag, Of& of) { return &(of.*Pointer); }
};

struct task_operation
{
    friend const void* address_of(task_operation, scheduler& of);
};
template struct located<task_operation, scheduler, &scheduler::task_operation_>;

#if defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
struct submit_operation
{
    friend const void* address_of(submit_operation, asio::detail::io_uring_service& of);
};
template struct located<submit_operation, asio::detail::io_uring_service,
    &asio::detail::io_uring_service::submit_sqes_op_>;
#endif

using call_stack =
    asio::detail::call_stack<asio::detail::thread_context, asio::detail::thread_info_base>;
struct call_stack_top
{
    using type = asio::detail::tss_ptr<call_stack::context>*;
    friend type open(call_stack_top);
};
template struct opened<call_stack_top, &call_stack::top_>;

scheduler& scheduler_of(asio::io_context& loop)
{
    return asio::use_service<scheduler>(static_cast<asio::execution_context&>(loop));
}

} // namespace

void loop_mark::put(const std::shared_ptr<loop_mark>& mark, asio::io_context& loop)
{
    if (mark->is_out())
        return;
    mark->queued_ = mark;
    mark->leave();
    mark->out_.store(true, std::memory_order_relaxed);
    scheduler_of(loop).post_deferred_completion(mark.get());
}

void loop_mark::complete(
    void* owner, operation* base, const boost::system::error_code&, std::size_t)
{
    auto* const mark = static_cast<loop_mark*>(base);
    const auto keep = std::move(mark->queued_);
    if (owner == nullptr)
        return; // the loop goes, and takes the mark with it
    // What the scheduler takes for the end of a unit of work was not counted as one.
    auto& of = *static_cast<scheduler*>(owner);
    of.compensating_work_started();
    run_frame* const run = thread_state::of_this_thread().run;
    if (run != nullptr && run->record->context() == &of.context() && !is_in_nested_run())
        ++run->probes;
    mark->meet();
    mark->out_.store(false, std::memory_order_release);
}

loop_probe::loop_probe(const std::shared_ptr<loop_record>& record) : record_(record) {}

bool loop_probe::send(const std::shared_ptr<loop_probe>& probe)
{
    return probe->record_->while_alive([&](asio::io_context& loop) { put(probe, loop); });
}

void loop_probe::leave()
{
    sent_at_ = std::chrono::steady_clock::now();
}

void loop_probe::meet()
{
    thread_state& here = thread_state::of_this_thread();
    if (here.run != nullptr && here.run->record == record_ && here.run->of_policy)
        here.take_stack_signal();
    answered_at_ = std::chrono::steady_clock::now();
    answered_by_ = here.number();
    record_->usage.note_lag(answered_at_ - sent_at_);
}

bool can_be_probed(asio::io_context& loop)
{
    return (scheduler_of(loop).*open(queue_mutex())).enabled();
}

long work_of(asio::io_context& loop) noexcept
{
    return scheduler_of(loop).*open(work_count());
}

next_operation next_of(asio::io_context& loop)
{
    using access = asio::detail::op_queue_access;
    scheduler& of = scheduler_of(loop);
#if defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
    const void* const own =
        address_of(submit_operation(), asio::use_service<asio::detail::io_uring_service>(loop));
#else
    const void* const own = nullptr;
#endif
    const asio::detail::conditionally_enabled_mutex::scoped_lock lock(of.*open(queue_mutex()));
    const asio::detail::scheduler_operation* next = (of.*open(queue())).front();
    if (next == address_of(task_operation(), of)) // the reactor's turn
        next = access::next(const_cast<asio::detail::scheduler_operation*>(next));
    if (next == nullptr)
        return next_operation::none;
    return next == own ? next_operation::own : next_operation::handler;
}

const void* next_in_queue_of(asio::io_context& loop)
{
    scheduler& of = scheduler_of(loop);
    const asio::detail::conditionally_enabled_mutex::scoped_lock lock(of.*open(queue_mutex()));
    return (of.*open(queue())).front();
}

bool is_in_nested_run() noexcept
{
    const call_stack::context* const run = *open(call_stack_top());
    return run != nullptr && run->next_by_key() != nullptr;
}

const void* run_key_of(asio::io_context& loop)
{
    return &scheduler_of(loop);
}

bool is_inside_run(const void* run_key)
{
    return static_cast<scheduler*>(const_cast<void*>(run_key))->can_dispatch();
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
