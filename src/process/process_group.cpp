// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/process/process_group.hpp>

#include "process/group_core.hpp"

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

process_group::process_group(asio::io_context& loop, group_options options)
    : core_(std::make_shared<detail::group_core>(loop, std::move(options)))
{}

process_group::~process_group()
{
    try
    {
        core_->stop();
    }
    catch (...) // for want of memory: they are killed with the loop
    {}
}

void process_group::start_run(command what, run_handler handler)
{
    core_->run(std::move(what), std::move(handler));
}

void process_group::start_wait_all(all_handler handler)
{
    core_->wait_all(std::move(handler));
}

void process_group::start_wait_any(run_handler handler)
{
    core_->wait_any(std::move(handler));
}

void process_group::stop()
{
    core_->stop();
}

std::size_t process_group::alive() const
{
    return core_->alive();
}

std::size_t process_group::waiting() const
{
    return core_->waiting();
}

} // namespace LOOPS_ABI
} // namespace loops
