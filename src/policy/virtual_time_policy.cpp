// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/virtual_time_policy.hpp>

#include "detail/loop_record.hpp"
#include "detail/policy_core.hpp"
#include "detail/priority_service.hpp"
#include "detail/run_scope.hpp"
#include "detail/virtual_time.hpp"

#include <boost/system/errc.hpp>

#include <mutex>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

void check_not_negative(std::chrono::nanoseconds time, const char* attempted)
{
    if (time < std::chrono::nanoseconds(0))
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            std::string(attempted) + " of " + std::to_string(time.count()) + " ns; give 0 or more");
}

} // namespace

virtual_time_policy::virtual_time_policy(virtual_time_options options)
    : virtual_time_policy(std::make_shared<default_policy>(), options)
{}

virtual_time_policy::virtual_time_policy(
    std::shared_ptr<event_loop_policy> inner, virtual_time_options options)
    : wrapping_policy(std::move(inner)),
      options_(options),
      time_(std::make_shared<detail::virtual_time>(options.auto_advance, options.idle))
{
    check_not_negative(options.idle, "making a policy of virtual time with an idle time");
    const std::lock_guard lock(core()->mutex);
    core()->furnishers.emplace_back(
        [time = time_](asio::io_context& loop) { detail::record_of(loop)->set_time(time); });
}

virtual_time_policy::~virtual_time_policy() = default;

std::string virtual_time_policy::name() const
{
    return "virtual_time/" + inner()->name();
}

void virtual_time_policy::set_event_loop(asio::io_context* loop)
{
    wrapping_policy::set_event_loop(loop);
    if (loop == nullptr)
        return;
    const auto record = detail::record_of(*loop);
    record->set_time(time_);
    detail::leave_untimed_runs(record);
}

asio::io_context& virtual_time_policy::select_event_loop(const selection& what)
{
    asio::io_context& selected = wrapping_policy::select_event_loop(what);
    if (options_.shuffle)
        detail::priority_service::of(selected).shuffle(*options_.shuffle);
    return selected;
}

priority_executor virtual_time_policy::get_executor(const selection& what)
{
    return get_executor(select_event_loop(what));
}

priority_executor virtual_time_policy::get_executor(asio::io_context& loop)
{
    auto& queue = detail::priority_service::of(loop);
    if (options_.shuffle)
        queue.shuffle(*options_.shuffle);
    return {loop.get_executor(), queue.level(0)};
}

void virtual_time_policy::advance(loop_clock::duration by)
{
    check_not_negative(by, "moving virtual time on by a time");
    detail::virtual_time::advance(by);
}

void virtual_time_policy::set_auto_advance(bool on) noexcept
{
    time_->jumps = on;
}

bool virtual_time_policy::auto_advance() const noexcept
{
    return time_->jumps;
}

} // namespace LOOPS_ABI
} // namespace loops
