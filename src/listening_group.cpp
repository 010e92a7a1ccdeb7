// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/listening_group.hpp>

#include "detail/log.hpp"
#include "detail/loop_record.hpp"
#include "platform/listening.hpp"
#include "platform/system.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// Decides how the group is steered, and says why.
void steer(opened_group& group, const std::vector<std::optional<unsigned>>& cpu_of)
{
    const bool is_bound =
        std::all_of(cpu_of.begin(), cpu_of.end(), [](const auto& cpu) { return cpu.has_value(); });
    group.reason = std::to_string(cpu_of.size()) + " listening sockets, connections dealt by ";
    if (!is_bound)
    {
        group.reason += "a hash: the pool's threads are not bound to CPUs, see pool_options::pin";
        return;
    }
    if (const error_code ec = platform::steer_by_cpu(group.sockets.front().get(), cpu_of))
    {
        group.reason += "a hash: steering by CPU was refused: " + ec.message();
        return;
    }
    group.steering = connection_steering::cpu;
    group.reason += "CPU:";
    for (std::size_t i = 0; i < cpu_of.size(); ++i)
        group.reason += (i == 0 ? " loop " : ", loop ") + std::to_string(i) + " has CPU " +
                        std::to_string(*cpu_of[i]);
}

} // namespace

opened_group open_group(pool_policy& pool, int family, int type, int protocol, const void* address,
    std::size_t size, int backlog)
{
    pool.start(); // whose threads are bound then
    std::vector<std::optional<unsigned>> cpu_of(pool.size());
    for (std::size_t i = 0; i < cpu_of.size(); ++i)
        cpu_of[i] = pool.cpu(i);

    platform::socket_address at;
    at.size = std::min(size, sizeof at.bytes);
    std::memcpy(at.bytes, address, at.size);
    opened_group made;
    error_code ec;
    made.sockets = platform::open_sharing(family, type, protocol, at, cpu_of.size(), ec);
    if (!ec)
        steer(made, cpu_of);
    // All are bound: whoever comes from here on finds them together.
    for (std::size_t i = 0; !ec && i < made.sockets.size(); ++i)
        ec = platform::listen_on(made.sockets[i].get(), backlog);
    if (ec)
        throw_error(ec, "opening " + std::to_string(cpu_of.size()) +
                            " sockets that listen on one address, for policy '" + pool.name() +
                            "', on " + platform::describe_thread() + "; none is open");
    return made;
}

void log_accept_error(asio::io_context& loop, const error_code& ec)
{
    log(record_of(loop)->describe() + " could not accept a connection: " + ec.message() +
        "; it tries again in 100 ms");
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
