// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/detail/acceptor_core.hpp>

#include "detail/random.hpp"
#include "platform/listening.hpp"
#include "platform/system.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

placement place_by(const std::shared_ptr<event_loop_policy>& policy, std::int64_t weight)
{
    if (!policy)
        return [weight](const selection& what) { return acquire(what, weight); };
    // Not the policy itself: it owns the loop that owns what accepts.
    return [weak = policy->weak_from_this(), weight](const selection& what) {
        if (const auto living = weak.lock())
            return living->acquire(what, weight);
        throw_error(error::policy_closed,
            "placing a connection on " + platform::describe_thread() +
                " by a policy that is gone; keep it while its acceptors accept");
    };
}

std::uint64_t hash_bytes(const unsigned char* bytes, std::size_t size) noexcept
{
    std::uint64_t hash = size;
    for (std::size_t at = 0; at < size; at += sizeof hash)
    {
        std::uint64_t part = 0;
        std::memcpy(&part, bytes + at, std::min(sizeof part, size - at));
        hash ^= part;
        hash = next_random(hash);
    }
    return hash;
}

socket_owner open_listening(
    int family, int type, int protocol, const void* address, std::size_t size, int backlog)
{
    platform::socket_address at;
    at.size = std::min(size, sizeof at.bytes);
    std::memcpy(at.bytes, address, at.size);
    error_code ec;
    socket_owner made = platform::open_bound(family, type, protocol, at, ec);
    if (!ec)
        ec = platform::listen_on(made.get(), backlog);
    if (ec)
        throw_error(ec, "opening a socket that listens, on " + platform::describe_thread());
    return made;
}

std::size_t local_address(int socket, void* address, std::size_t capacity)
{
    platform::socket_address at;
    if (const error_code ec = platform::read_address(socket, at))
        throw_error(ec, "reading the address of a listening socket");
    const std::size_t size = std::min(at.size, capacity);
    std::memcpy(address, at.bytes, size);
    return size;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
