// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/watcher/safe_child_watcher.hpp>

#include "detail/child_waits.hpp"

#include <memory>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

detail::watcher_kind safe_kind()
{
    detail::watcher_kind kind{"safe", detail::watching::by_signal};
    kind.sees_states = true;
    return kind;
}

} // namespace

safe_child_watcher::safe_child_watcher()
    : registry_watcher(std::make_shared<detail::child_waits>(safe_kind()))
{}

safe_child_watcher::~safe_child_watcher() = default;

} // namespace LOOPS_ABI
} // namespace loops
