// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/watcher/descriptor_watcher.hpp>

#include "watcher/descriptor_waits.hpp"

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

descriptor_watcher::descriptor_watcher() : waits_(detail::descriptor_waits::make()) {}

descriptor_watcher::descriptor_watcher(asio::io_context& loop) : descriptor_watcher()
{
    attach_loop(loop);
}

descriptor_watcher::~descriptor_watcher()
{
    try
    {
        close();
    }
    catch (...) // for want of memory: the handlers are destroyed uncalled
    {}
}

void descriptor_watcher::start_wait(int fd, descriptor_events wanted, wait_handler handler)
{
    waits_->add(fd, wanted, std::move(handler));
}

void descriptor_watcher::attach_loop(asio::io_context& loop)
{
    error_code ec;
    attach_loop(loop, ec);
    if (ec)
        detail::throw_error(ec, "attaching a watcher of descriptors to a loop");
}

void descriptor_watcher::attach_loop(asio::io_context& loop, error_code& ec)
{
    waits_->attach(loop, ec);
}

void descriptor_watcher::attach_loop(std::nullptr_t)
{
    waits_->detach();
}

bool descriptor_watcher::is_active() const
{
    return waits_->is_active();
}

void descriptor_watcher::close()
{
    waits_->close();
}

} // namespace LOOPS_ABI
} // namespace loops
