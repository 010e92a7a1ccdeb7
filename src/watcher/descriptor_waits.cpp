// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "watcher/descriptor_waits.hpp"

#include "platform/linux/pidfd.hpp"
#include "platform/linux/readiness.hpp"

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
    return attached_waits::make<descriptor_waits>(epoll);
}

void descriptor_waits::add(int fd, descriptor_events wanted, wait_type::handler_type handler)
{
    std::vector<wait_type> refused;
    error_code ec = error::forked;
    wait_type fresh(next_id(), std::move(handler));
    if (is_inherited())
    {
        refused.push_back(std::move(fresh));
    }
    else
    {
        const std::lock_guard lock(mutex());
        ec = why_unusable();
        if (!ec)
            attachment().want(true, ec);
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
        platform::epoll_remove(descriptor(), fd);
    else
        platform::ask_once(descriptor(), fd, wanted, ec);
    return ec;
}

// The loop is to look as long as there is something to look for.
void descriptor_waits::want()
{
    error_code ignored;
    attachment().want(!waits_.empty(), ignored);
}

void descriptor_waits::on_ready()
{
    constexpr std::size_t at_a_time = 64;
    std::array<platform::ready_descriptor, at_a_time> ready;
    std::vector<std::pair<wait_type, descriptor_events>> ended;
    {
        const std::lock_guard lock(mutex());
        const std::size_t count = platform::take_ready(descriptor(), ready.data(), ready.size());
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
        std::move(wait).complete(attachment().executor(), {}, told);
}

void descriptor_waits::cancel(std::uint64_t id)
{
    std::vector<wait_type> ended;
    {
        const std::lock_guard lock(mutex());
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
        std::move(each).complete(attachment().executor(), ec, descriptor_events::none);
}

void descriptor_waits::on_gone(asio::io_context& loop)
{
    entries gone;
    const std::lock_guard lock(mutex());
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

void descriptor_waits::end_all()
{
    std::vector<wait_type> ended;
    {
        const std::lock_guard lock(mutex());
        for (auto& each : waits_)
        {
            ended.push_back(std::move(each.second.wait));
            platform::epoll_remove(descriptor(), each.first);
        }
        waits_.clear();
        want();
    }
    complete(std::move(ended), asio::error::operation_aborted);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
