// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/policy/priority_policy.hpp>

#include "detail/priority_service.hpp"

#include <boost/system/errc.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

constexpr int most_levels = static_cast<int>(detail::priority_fsm::most_levels);

const priority_options& checked(const priority_options& options)
{
    const auto invalid = make_error_code(boost::system::errc::invalid_argument);
    if (options.levels < 1 || options.levels > most_levels)
        detail::throw_error(
            invalid, "making a priority policy of " + std::to_string(options.levels) +
                         " levels; there can be 1 to " + std::to_string(most_levels));
    if (options.ageing < 1)
        detail::throw_error(invalid,
            "making a priority policy with an ageing of 0 handlers; give 1 or more, a large number "
            "for an order that is next to strict");
    return options;
}

} // namespace

priority_policy::priority_policy(std::shared_ptr<event_loop_policy> inner, priority_options options)
    : wrapping_policy(std::move(inner)), options_(checked(options))
{}

priority_policy::~priority_policy() = default;

std::string priority_policy::name() const
{
    return "priority/" + inner()->name();
}

priority_executor priority_policy::get_executor(int priority, const selection& what)
{
    check(priority); // before anything is selected
    return get_executor(priority, select_event_loop(what));
}

priority_executor priority_policy::get_executor(int priority, asio::io_context& loop)
{
    check(priority);
    auto& queue = detail::priority_service::of(loop);
    queue.limit_ageing(options_.ageing);
    return {loop.get_executor(), queue.level(priority)};
}

void priority_policy::check(int priority) const
{
    if (priority < 0 || priority >= options_.levels)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "getting an executor of priority " + std::to_string(priority) + " of policy '" +
                name() + "', which has those from 0 to " + std::to_string(options_.levels - 1));
}

} // namespace LOOPS_ABI
} // namespace loops
