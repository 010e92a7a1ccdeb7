// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/detail/launch.hpp>
#include <loops/process/start.hpp>

#include "platform/linux/child.hpp"
#include "platform/linux/pidfd.hpp"
#include "platform/linux/spawn.hpp"
#include "platform/posix/descriptor.hpp"
#include "platform/spawn_error.hpp"
#include "process/spawn_request.hpp"

#include <boost/system/errc.hpp>

namespace loops {
inline namespace LOOPS_ABI {

started_process::~started_process()
{
    platform::close_descriptor(pidfd_);
}

void started_process::signal(int number, error_code& ec) const noexcept
{
    platform::send_signal({pid_, pidfd_}, number, ec);
}

void started_process::signal(int number) const
{
    error_code ec;
    signal(number, ec);
    if (ec)
        detail::throw_error(
            ec, "sending signal " + std::to_string(number) + " to process " + std::to_string(pid_));
}

const error_category& start_category() noexcept
{
    return platform::spawn_category();
}

started_process start_process(const command& what, error_code& ec)
{
    detail::spawn_request request(what, ec);
    if (ec)
        return {};
    const platform::spawned it = platform::spawn(request.plan(), ec);
    return {it.pid, it.pidfd};
}

started_process start_process(const command& what)
{
    error_code ec;
    started_process it = start_process(what, ec);
    if (ec)
        detail::throw_error(ec, "starting '" + what.program + "'");
    return it;
}

namespace detail {

started_process launch(const launch_request& what, error_code& ec)
{
    const char* const programs[] = {what.program, nullptr};
    platform::spawn_plan plan;
    plan.programs = programs;
    plan.arguments = what.arguments;
    plan.environment = what.environment;
    plan.setup = what.setup;
    plan.context = what.context;
    plan.setup_highest = what.highest_descriptor;
    const platform::spawned it = platform::spawn(plan, ec);
    return {it.pid, it.pidfd};
}

void close_all_but(const int* kept, std::size_t count) noexcept
{
    platform::close_all_but(kept, count);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
