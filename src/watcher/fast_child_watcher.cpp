// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/watcher/fast_child_watcher.hpp>

#include "detail/child_waits.hpp"

#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

detail::watcher_kind fast_kind(fast_child_watcher::unclaimed_function unclaimed)
{
    detail::watcher_kind kind{"fast", detail::watching::by_signal};
    kind.reaps_everyone = true;
    if (unclaimed)
        kind.unclaimed =
            std::make_shared<const fast_child_watcher::unclaimed_function>(std::move(unclaimed));
    return kind;
}

} // namespace

fast_child_watcher::fast_child_watcher(unclaimed_function unclaimed)
    : registry_watcher(std::make_shared<detail::child_waits>(fast_kind(std::move(unclaimed))))
{}

fast_child_watcher::~fast_child_watcher() = default;

} // namespace LOOPS_ABI
} // namespace loops
