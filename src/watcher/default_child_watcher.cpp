// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/watcher/default_child_watcher.hpp>
#include <loops/watcher/pidfd_child_watcher.hpp>
#include <loops/watcher/threaded_child_watcher.hpp>

#include "detail/pidfd_support.hpp"
#include "detail/policy_core.hpp"

#include <memory>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {

default_child_watcher_choice choose_child_watcher()
{
    if (const char* const why = detail::why_no_pidfds())
        return {std::make_shared<threaded_child_watcher>(),
            "children are watched by threads, since pidfds cannot be used: " + std::string(why)};
    return {std::make_shared<pidfd_child_watcher>(),
        "children are watched through pidfds, which work here"};
}

std::shared_ptr<child_watcher> default_child_watcher()
{
    return choose_child_watcher().watcher;
}

namespace detail {

std::shared_ptr<child_watcher> make_default_child_watcher()
{
    return default_child_watcher();
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
