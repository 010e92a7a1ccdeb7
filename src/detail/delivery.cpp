// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/delivery.hpp"

#include <loops/detail/io_context_of.hpp>
#include <loops/event_loop.hpp>
#include <loops/policy.hpp>

#include "detail/background_loop.hpp"
#include "detail/child_registry.hpp"
#include "detail/loop_record.hpp"
#include "detail/thread_state.hpp"
#include "detail/wait_service.hpp"

#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <mutex>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

destination::destination(const child_watcher::wait_handler& handler)
    : executor(asio::get_associated_executor(handler, asio::any_completion_executor()))
{
    if (!executor)
        return;
    asio::io_context* const loop = io_context_of(executor);
    if (loop == nullptr)
    {
        service = &wait_service::of_background();
        return;
    }
    service = wait_service::of(*loop);
    shut = service == nullptr;
    const auto* const plain = executor.target<asio::io_context::executor_type>();
    runs_plainly = plain != nullptr && *plain == loop->get_executor();
}

asio::any_completion_executor destination::work() const
{
    return runs_plainly ? asio::any_completion_executor() : tracked(executor);
}

namespace {

asio::io_context* existing_loop()
{
    asio::io_context* const loop = try_get_running_loop();
    return loop != nullptr ? loop : policy_of_this_thread()->existing_event_loop();
}

} // namespace

wait_service* existing_service()
{
    asio::io_context* const loop = existing_loop();
    return loop != nullptr ? wait_service::of(*loop) : nullptr;
}

asio::io_context& loop_of(const asio::any_completion_executor& executor)
{
    asio::io_context* const loop = executor ? io_context_of(executor) : existing_loop();
    if (loop == nullptr)
        return background_loop();
    const auto record = known_record_of(*loop);
    if (record != nullptr && record->is_closed())
        throw_error(error::loop_closed, "running a program on a loop that was closed");
    return *loop;
}

asio::any_completion_executor tracked(const asio::any_completion_executor& executor)
{
    if (!executor)
        return nullptr;
    return asio::prefer(executor, asio::execution::outstanding_work.tracked);
}

wait_service& any_service()
{
    wait_service* const found = existing_service();
    return found != nullptr ? *found : wait_service::of_background();
}

void deliver(child_watcher::wait_handler handler, const error_code& ec)
{
    const destination to(handler);
    if (to.shut)
        return;
    wait_service& service = to.executor ? *to.service : any_service();
    ended_wait end{std::move(handler), to.work(), ec, {}};
    child_registry& registry = child_registry::instance();
    {
        const std::lock_guard lock(registry.mutex);
        if (service.is_shut())
            return;
        if (service.is_ours())
        {
            child_wait& wait = registry.add_wait(registry.next_id(), 0, false, end);
            wait.service = &service;
            registry.end(wait, ec);
            return;
        }
    }
    // A forked child did not tell the loop: what the service holds is for the parent's. Handed to
    // the loop itself, it runs there as anything that is posted in the child.
    if (!end.executor)
        end.executor = service.get_executor();
    asio::post(
        service.get_executor(), [end = std::move(end)]() mutable { std::move(end).complete(); });
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
