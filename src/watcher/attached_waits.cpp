// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "watcher/attached_waits.hpp"

#include "platform/posix/descriptor.hpp"

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

attached_waits::~attached_waits()
{
    attachment_.reset();
    platform::close_descriptor(fd_);
}

void attached_waits::make_attachment()
{
    attachment_ = std::make_shared<loop_attachment>(
        fd_,
        [weak = weak_from_this()] {
            if (const auto it = weak.lock())
                it->on_ready();
        },
        [weak = weak_from_this()](asio::io_context& loop) {
            if (const auto it = weak.lock())
                it->on_gone(loop);
        });
}

void attached_waits::attach(asio::io_context& loop, error_code& ec)
{
    ec = error::forked;
    if (is_inherited())
        return;
    const std::lock_guard lock(mutex_);
    ec = why_unusable();
    if (!ec)
        attachment_->attach(loop, ec);
    if (!ec)
        on_attached();
}

void attached_waits::detach()
{
    if (is_inherited())
        return;
    const std::lock_guard lock(mutex_);
    attachment_->detach();
    on_detached();
}

bool attached_waits::is_active() const
{
    if (is_inherited())
        return false;
    const std::lock_guard lock(mutex_);
    return !closed_ && attachment_->is_attached();
}

void attached_waits::close()
{
    if (is_inherited())
        return;
    {
        const std::lock_guard lock(mutex_);
        if (closed_)
            return;
        closed_ = true;
    }
    end_all();
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
