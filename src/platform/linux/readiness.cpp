// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/linux/readiness.hpp"

#include "platform/fault.hpp"
#include "platform/last_error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <sys/epoll.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

constexpr std::pair<descriptor_events, std::uint32_t> translation[] = {
    {descriptor_events::read, EPOLLIN}, {descriptor_events::write, EPOLLOUT},
    {descriptor_events::priority, EPOLLPRI}, {descriptor_events::hang_up, EPOLLHUP | EPOLLRDHUP},
    {descriptor_events::error, EPOLLERR}};

bool has(descriptor_events events, descriptor_events which) noexcept
{
    return (events & which) != descriptor_events::none;
}

} // namespace

void ask_once(int epoll, int fd, descriptor_events wanted, error_code& ec) noexcept
{
    epoll_event event{};
    event.data.fd = fd;
    event.events = EPOLLONESHOT | EPOLLRDHUP;
    for (const auto& [ours, theirs] : translation)
        event.events |= has(wanted, ours) ? theirs : 0U;
    ec.clear();
    // It may be a descriptor that was closed and opened again since.
    const bool done = !injected_fault("epoll_ctl") &&
                      (::epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0 ||
                          (errno == ENOENT && ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0));
    if (!done)
        ec = last_error();
}

std::size_t take_ready(int epoll, ready_descriptor* ready, std::size_t size) noexcept
{
    std::array<epoll_event, 64> events; // NOLINT: filled by the call
    const int room = static_cast<int>(std::min(size, events.size()));
    const int count = ::epoll_wait(epoll, events.data(), room, 0);
    for (int i = 0; i < count; ++i)
    {
        const epoll_event& each = events[static_cast<std::size_t>(i)];
        ready[i] = {each.data.fd, descriptor_events::none};
        for (const auto& [ours, theirs] : translation)
            ready[i].events =
                ready[i].events | ((each.events & theirs) != 0 ? ours : descriptor_events::none);
    }
    return count < 0 ? 0 : static_cast<std::size_t>(count);
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
