// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/watcher/pidfd_child_watcher.hpp>

#include "detail/policy_core.hpp"

#include <memory>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

std::shared_ptr<child_watcher> make_default_child_watcher()
{
    return std::make_shared<pidfd_child_watcher>();
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
