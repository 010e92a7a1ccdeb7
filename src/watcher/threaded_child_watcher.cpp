// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/watcher/threaded_child_watcher.hpp>

#include "detail/child_waits.hpp"

#include <memory>

namespace loops {
inline namespace LOOPS_ABI {

threaded_child_watcher::threaded_child_watcher()
    : registry_watcher(std::make_shared<detail::child_waits>(
          detail::watcher_kind{"threaded", detail::watching::by_thread}))
{}

threaded_child_watcher::~threaded_child_watcher() = default;

} // namespace LOOPS_ABI
} // namespace loops
