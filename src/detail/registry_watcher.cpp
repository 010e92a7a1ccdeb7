// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/detail/registry_watcher.hpp>

#include "detail/child_waits.hpp"
#include "detail/log.hpp"
#include "detail/wait_service.hpp"
#include "platform/system.hpp"

#include <boost/system/errc.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

registry_watcher::registry_watcher(std::shared_ptr<child_waits> waits) noexcept
    : waits_(std::move(waits))
{
    note_records(*handlers_);
}

registry_watcher::~registry_watcher()
{
    close();
}

std::string registry_watcher::name() const
{
    return waits_->kind().name;
}

void registry_watcher::do_async_wait(pid_type pid, wait_handler handler)
{
    waits_->start(pid, std::move(handler));
}

void registry_watcher::do_async_wait_state(pid_type pid, wait_handler handler)
{
    waits_->start(pid, std::move(handler), true);
}

void registry_watcher::do_add_handler(
    pid_type pid, handler_id id, wait_handler handler, error_code& ec)
{
    ec = waits_->add(pid, id, std::move(handler));
}

void registry_watcher::do_remove_handler(pid_type /*pid*/, handler_id id)
{
    waits_->remove(id);
}

void registry_watcher::do_attach(asio::io_context* loop)
{
    error_code ec;
    const std::size_t kept_back = waits_->attach(loop, ec);
    if (ec)
        throw_error(
            ec, "attaching a " + name() + " child watcher on " + platform::describe_thread());
    if (kept_back > 0)
        log("a " + name() + " watcher was detached with " + std::to_string(kept_back) +
            " waits pending, which are kept until it is attached again");
}

bool registry_watcher::do_is_active() const
{
    return waits_->is_active();
}

void registry_watcher::do_close()
{
    waits_->close();
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
