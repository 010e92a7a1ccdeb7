// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/policy/bounded_policy.hpp>

#include "detail/task_lane.hpp"

#include <boost/system/errc.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

bounded_policy::bounded_policy(std::shared_ptr<event_loop_policy> inner_policy,
    std::size_t most_tasks, std::size_t most_waiting)
    : wrapping_policy(std::move(inner_policy)),
      bound_(
          std::make_shared<const detail::task_bound>(detail::task_bound{most_tasks, most_waiting}))
{
    if (most_tasks == 0)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "bounding the tasks of policy '" + inner()->name() +
                "' to none at a time; give 1 or more");
}

bounded_policy::~bounded_policy() = default;

std::string bounded_policy::name() const
{
    return "bounded";
}

task_factory bounded_policy::get_task_factory() const
{
    return [bound = bound_, next = inner()->get_task_factory()](
               task what) { detail::task_lane::take(bound, std::move(what), next); };
}

std::size_t bounded_policy::most_tasks() const noexcept
{
    return bound_->most_tasks;
}

std::size_t bounded_policy::most_waiting() const noexcept
{
    return bound_->most_waiting;
}

std::size_t bounded_policy::running(asio::io_context& loop) const
{
    return detail::task_lane::count(*bound_, loop).running;
}

std::size_t bounded_policy::waiting(asio::io_context& loop) const
{
    return detail::task_lane::count(*bound_, loop).waiting;
}

} // namespace LOOPS_ABI
} // namespace loops
