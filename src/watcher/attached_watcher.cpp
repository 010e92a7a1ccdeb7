// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/watcher/attached_watcher.hpp>

#include "watcher/attached_waits.hpp"

#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

attached_watcher::attached_watcher(std::shared_ptr<detail::attached_waits> waits)
    : waits_(std::move(waits))
{}

attached_watcher::~attached_watcher()
{
    try
    {
        close();
    }
    catch (...) // for want of memory: the handlers are destroyed uncalled
    {}
}

void attached_watcher::attach_loop(asio::io_context& loop)
{
    error_code ec;
    attach_loop(loop, ec);
    if (ec)
        detail::throw_error(
            ec, std::string("attaching a watcher of ") + waits_->of_what() + " to a loop");
}

void attached_watcher::attach_loop(asio::io_context& loop, error_code& ec)
{
    waits_->attach(loop, ec);
}

void attached_watcher::attach_loop(std::nullptr_t)
{
    waits_->detach();
}

bool attached_watcher::is_active() const
{
    return waits_->is_active();
}

void attached_watcher::close()
{
    waits_->close();
}

} // namespace LOOPS_ABI
} // namespace loops
