// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/process/supervisor.hpp>

#include "process/supervisor_core.hpp"

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

supervisor::supervisor(
    asio::io_context& loop, command_function what, std::size_t workers, supervisor_options options)
    : core_(std::make_shared<detail::supervisor_core>(
          loop, std::move(what), workers, std::move(options)))
{}

supervisor::supervisor(
    asio::io_context& loop, command what, std::size_t workers, supervisor_options options)
    : supervisor(
          loop, [what = std::move(what)](std::size_t) { return what; }, workers, std::move(options))
{}

supervisor::~supervisor()
{
    try
    {
        core_->abandon();
    }
    catch (...) // for want of memory: they are killed with the loop
    {}
}

void supervisor::start_run(handler_type handler)
{
    core_->run(std::move(handler));
}

void supervisor::start_wait_ready(handler_type handler)
{
    core_->wait_ready(std::move(handler));
}

void supervisor::start_restart(handler_type handler)
{
    core_->restart(std::move(handler));
}

void supervisor::stop()
{
    core_->stop();
}

void supervisor::kill()
{
    core_->kill();
}

void supervisor::signal(int number)
{
    core_->signal(number);
}

std::vector<worker_status> supervisor::status() const
{
    return core_->status();
}

worker_status supervisor::status(std::size_t worker) const
{
    return core_->status(worker);
}

std::size_t supervisor::size() const noexcept
{
    return core_->size();
}

} // namespace LOOPS_ABI
} // namespace loops
