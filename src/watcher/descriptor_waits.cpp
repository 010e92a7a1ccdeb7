// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "watcher/descriptor_waits.hpp"

#include "platform/linux/pidfd.hpp"
#include "platform/linux/readiness.hpp"
#include "platform/posix/descriptor.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

constexpr descriptor_events always = descriptor_events::hang_up | descriptor_events::error;

} // namespace

std::shared_ptr<descriptor_waits> descriptor_waits::make()
{
    error_code ec;
    const int epoll = platform::make_epoll(ec);
    if (ec)
        throw_error(ec, "making a watcher of descriptors: epoll_create1");
    auto made = std::make_shared<descriptor_waits>(epoll);
    const auto weak = std::weak_ptr<descriptor_waits>(made);
    made->attachment_ = std::make_shared<loop_attachment>(
        epoll,
        [weak] {
            if (const auto it = weak.lock())
                it->on_ready();
        },
        [weak](asio::io_context& loop) {
            if (const auto it = weak.lock())
                it->on_gone(loop);
        });
    return made;
}

descriptor_waits::descriptor_waits(int epoll) : epoll_(epoll) {}

descriptor_waits::~descriptor_waits()
{
    attachment_.reset();
    platform::close_descriptor(epoll_);
}

// But for a forked child, where a thread of the parent's may have left the mutex locked.
error_code descriptor_waits::why_unusable() const noexcept
{
    return closed_ ? make_error_code(error::watcher_closed) : error_code();
}

void descriptor_waits::add(int fd, descriptor_events wanted, wait_type::handler_type handler)
{
    std::vector<wait_type> refused;
    error_code ec = error::forked;
    wait_type fresh(++last_id_, std::move(handler));
    if (attachment_->is_inherited())
    {
        refused.push_back(std::move(fresh));
    }
    else
    {
        const std::lock_guard lock(mutex_);
        ec = why_unusable();
        if (!ec)
            attachment_->want(true, ec);
        if (ec)
        {
            refused.push_back(std::move(fresh));
        }
        else
        {
            fresh.connect(weak_from_this());
            const auto at = waits_.emplace(fd, entry{wanted | always, std::move(fresh)});
            ec = ask(fd);
            if (!ec)
                return;
            refused.push_back(std::move(at->second.wait));
            waits_.erase(at);
            want();
        }
    }
    complete(std::move(refused), ec);
}

// For all that its waits want.
error_code descriptor_waits::ask(int fd)
{
    descriptor_events wanted = descriptor_events::none;
    const auto [begin, end] = waits_.equal_range(fd);
    for (auto each = begin; each != end; ++each)
        wanted = wanted | each->second.wanted;
    error_code ec;
    if (begin == end)
        platform::epoll_remove(epoll_, fd);
    else
        platform::ask_once(epoll_, fd, wanted, ec);
    return ec;
}

// The loop is to look as long as there is something to look for.
void descriptor_waits::want()
{
    error_code ignored;
    attachment_->want(!waits_.empty(), ignored);
}

void descriptor_waits::on_ready()
{
    constexpr std::size_t at_a_time = 64;
    std::array<platform::ready_descriptor, at_a_time> ready;
    std::vector<std::pair<wait_type, descriptor_events>> ended;
    {
        const std::lock_guard lock(mutex_);
        const std::size_t count = platform::take_ready(epoll_, ready.data(), ready.size());
        for (std::size_t i = 0; i != count; ++i)
        {
            const auto [begin, end] = waits_.equal_range(ready[i].fd);
            for (auto each = begin; each != end;)
            {
                const descriptor_events told = each->second.wanted & ready[i].events;
                const auto present = each++;
                if (told == descriptor_events::none)
                    continue;
                ended.emplace_back(std::move(present->second.wait), told);
                waits_.erase(present);
            }
            ask(ready[i].fd);
        }
        want();
    }
    for (auto& [wait, told] : ended)
        std::move(wait).complete(attachment_->executor(), {}, told);
}

void descriptor_waits::cancel(std::uint64_t id)
{
    std::vector<wait_type> ended;
    {
        const std::lock_guard lock(mutex_);
        const auto found = std::find_if(waits_.begin(), waits_.end(),
            [id](const entries::value_type& each) { return each.second.wait.id() == id; });
        if (found == waits_.end())
            return;
        const int fd = found->first;
        ended.push_back(std::move(found->second.wait));
        waits_.erase(found);
        ask(fd);
        want();
    }
    complete(std::move(ended), asio::error::operation_aborted);
}

void descriptor_waits::complete(std::vector<wait_type> waits, const error_code& ec)
{
    for (wait_type& each : waits)
        std::move(each).complete(attachment_->executor(), ec, descriptor_events::none);
}

// What would be completed there is destroyed, as whatever else is pending on the loop.
void descriptor_waits::on_gone(asio::io_context& loop)
{
    entries gone;
    const std::lock_guard lock(mutex_);
    for (auto each = waits_.begin(); each != waits_.end();)
    {
        const auto present = each++;
        if (!present->second.wait.is_of(loop))
            continue;
        const int fd = present->first;
        gone.insert(waits_.extract(present));
        ask(fd);
    }
    want();
}

void descriptor_waits::attach(asio::io_context& loop, error_code& ec)
{
    ec = error::forked;
    if (attachment_->is_inherited())
        return;
    const std::lock_guard lock(mutex_);
    ec = why_unusable();
    if (!ec)
        attachment_->attach(loop, ec);
}

void descriptor_waits::detach()
{
    if (!attachment_->is_inherited())
        attachment_->detach();
}

bool descriptor_waits::is_active() const
{
    if (attachment_->is_inherited())
        return false;
    const std::lock_guard lock(mutex_);
    return !why_unusable() && attachment_->is_attached();
}

void descriptor_waits::close()
{
    if (attachment_->is_inherited())
        return;
    std::vector<wait_type> ended;
    {
        const std::lock_guard lock(mutex_);
        if (why_unusable())
            return;
        closed_ = true;
        for (auto& each : waits_)
        {
            ended.push_back(std::move(each.second.wait));
            platform::epoll_remove(epoll_, each.first);
        }
        waits_.clear();
        want();
    }
    complete(std::move(ended), asio::error::operation_aborted);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
