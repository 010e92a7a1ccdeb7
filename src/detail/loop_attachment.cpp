// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/loop_attachment.hpp"

#include "detail/delivery.hpp"
#include "detail/loop_record.hpp"
#include "platform/linux/pidfd.hpp"
#include "platform/posix/descriptor.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

struct loop_attachment::watch
{
    watch(asio::io_context& owner, std::weak_ptr<loop_attachment> attachment)
        : loop(owner), copy(owner), whose(std::move(attachment))
    {}

    watch(const watch&) = delete;
    watch& operator=(const watch&) = delete;

    // One that was not ended goes with its loop.
    ~watch()
    {
        const auto owner = copy.is_open() ? whose.lock() : nullptr;
        if (owner && !owner->is_inherited())
            owner->lose(loop);
    }

    asio::io_context& loop;
    asio::posix::stream_descriptor copy;
    const std::weak_ptr<loop_attachment> whose;
};

loop_attachment::loop_attachment(int fd, function on_readable, gone_function on_gone)
    : fd_(fd), on_readable_(std::move(on_readable)), on_gone_(std::move(on_gone))
{}

loop_attachment::~loop_attachment()
{
    end();
}

void loop_attachment::attach(asio::io_context& loop, error_code& ec)
{
    ec.clear();
    const std::lock_guard lock(mutex_);
    const auto record = record_of(loop);
    if (record == loop_ && !present_.expired() == wanted_)
        return;
    std::shared_ptr<watch> fresh;
    if (record->is_closed())
        ec = error::loop_closed;
    else if (wanted_)
        fresh = make_watch(*record, ec);
    if (ec)
        return;
    end();
    loop_ = record;
    if (fresh)
        begin(fresh);
}

void loop_attachment::detach()
{
    const std::lock_guard lock(mutex_);
    end();
    loop_.reset();
}

void loop_attachment::want(bool on, error_code& ec)
{
    ec.clear();
    const std::lock_guard lock(mutex_);
    if (!on)
        end();
    wanted_ = on;
    if (!on || !loop_ || !present_.expired())
        return;
    auto fresh = make_watch(*loop_, ec);
    if (fresh)
        begin(fresh);
    wanted_ = !ec;
}

bool loop_attachment::is_attached() const
{
    const std::lock_guard lock(mutex_);
    return !is_inherited() && loop_ && loop_->context() != nullptr;
}

asio::io_context::executor_type loop_attachment::executor() const
{
    if (!is_inherited())
    {
        const std::lock_guard lock(mutex_);
        asio::io_context* const loop = loop_ ? loop_->context() : nullptr;
        if (loop != nullptr)
            return loop->get_executor();
    }
    return loop_of(nullptr).get_executor();
}

// Before the owner hears of it: what is left of the loop takes nothing new.
void loop_attachment::lose(asio::io_context& loop)
{
    {
        const std::lock_guard lock(mutex_);
        if (loop_ && (loop_->context() == &loop || loop_->context() == nullptr))
            loop_.reset();
    }
    on_gone_(loop);
}

// None, and no error, where the loop is gone.
std::shared_ptr<loop_attachment::watch> loop_attachment::make_watch(
    const loop_record& record, error_code& ec)
{
    std::shared_ptr<watch> made;
    record.while_alive([&](asio::io_context& loop) {
        const int copy = platform::copy_descriptor(fd_, ec);
        if (ec)
            return;
        made = std::make_shared<watch>(loop, weak_from_this());
        made->copy.assign(copy, ec);
        if (!ec)
            return;
        platform::close_descriptor(copy);
        made.reset();
    });
    return made;
}

void loop_attachment::begin(const std::shared_ptr<watch>& fresh)
{
    present_ = fresh;
    wait(fresh);
}

// What waits is told, and finds that it is over.
void loop_attachment::end()
{
    const auto present = std::exchange(present_, {}).lock();
    error_code ignored;
    if (present && is_inherited())
        platform::replace_descriptor(
            present->copy.native_handle()); // Asio's epoll may be the parent's
    if (present)
        present->copy.close(ignored);
}

void loop_attachment::wait(const std::shared_ptr<watch>& present)
{
    present->copy.async_wait(asio::posix::stream_descriptor::wait_read,
        [weak = weak_from_this(), present](const error_code& ec) {
            const auto self = weak.lock();
            if (!ec && self && !self->is_inherited())
                self->on_ready(present);
        });
}

// What the function throws leaves the loop's run, and it goes on.
void loop_attachment::on_ready(const std::shared_ptr<watch>& present)
{
    try
    {
        on_readable_();
    }
    catch (...)
    {
        go_on(present);
        throw;
    }
    go_on(present);
}

// Unless another loop has taken over, or nobody wants to know any more.
void loop_attachment::go_on(const std::shared_ptr<watch>& present)
{
    const std::lock_guard lock(mutex_);
    if (present_.lock() == present)
        wait(present);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
