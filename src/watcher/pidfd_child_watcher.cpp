// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/watcher/pidfd_child_watcher.hpp>

#include "detail/child_waits.hpp"
#include "detail/pidfd_support.hpp"
#include "platform/system.hpp"

#include <boost/system/errc.hpp>

#include <memory>

namespace loops {
inline namespace LOOPS_ABI {

bool pidfd_child_watcher::is_supported() noexcept
{
    return !detail::why_no_pidfds();
}

pidfd_child_watcher::pidfd_child_watcher()
    : registry_watcher(std::make_shared<detail::child_waits>(
          detail::watcher_kind{"pidfd", detail::watching::by_pidfd}))
{
    if (const char* const why = detail::why_no_pidfds())
        detail::throw_error(make_error_code(boost::system::errc::operation_not_supported),
            "making a pidfd child watcher on " + platform::describe_thread() + ": " + why +
                "; default_child_watcher() makes one that works here");
}

pidfd_child_watcher::~pidfd_child_watcher() = default;

} // namespace LOOPS_ABI
} // namespace loops
