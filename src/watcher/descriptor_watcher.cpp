// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/watcher/descriptor_watcher.hpp>

#include "watcher/descriptor_waits.hpp"

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

descriptor_watcher::descriptor_watcher() : attached_watcher(detail::descriptor_waits::make()) {}

descriptor_watcher::descriptor_watcher(asio::io_context& loop) : descriptor_watcher()
{
    attach_loop(loop);
}

detail::descriptor_waits& descriptor_watcher::own_waits() const noexcept
{
    return static_cast<detail::descriptor_waits&>(waits());
}

void descriptor_watcher::start_wait(int fd, descriptor_events wanted, wait_handler handler)
{
    own_waits().add(fd, wanted, std::move(handler));
}

} // namespace LOOPS_ABI
} // namespace loops
