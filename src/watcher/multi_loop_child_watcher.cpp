// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/watcher/multi_loop_child_watcher.hpp>

#include "detail/child_waits.hpp"
#include "platform/system.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <memory>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

detail::watcher_kind multi_loop_kind(const look_interval& interval)
{
    if (interval.shortest <= std::chrono::nanoseconds(0) || interval.longest < interval.shortest)
        detail::throw_error(asio::error::invalid_argument,
            "making a multi-loop child watcher on " + platform::describe_thread() +
                "; its shortest interval is to be more than 0, and its longest no less than that");
    detail::watcher_kind kind{"multi_loop", detail::watching::by_look};
    kind.sees_states = true;
    constexpr std::chrono::nanoseconds most = std::chrono::hours(24); // what a clock can add
    kind.bounds = {std::min(interval.shortest, most), std::min(interval.longest, most)};
    return kind;
}

} // namespace

multi_loop_child_watcher::multi_loop_child_watcher(look_interval interval)
    : registry_watcher(std::make_shared<detail::child_waits>(multi_loop_kind(interval)))
{}

multi_loop_child_watcher::~multi_loop_child_watcher() = default;

} // namespace LOOPS_ABI
} // namespace loops
