// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_SERVERS_CLIENT_HPP
#define LOOPS_BENCH_SERVERS_CLIENT_HPP

#include "workload.hpp"

#include <cstddef>

namespace servers {

/// What a client saw.
struct observed
{
    /// Of all connections together, from the first request to the last answer.
    double requests_a_second = 0;
    /// The time from a request to its answer that 99 of 100 requests did not exceed.
    double percentile_99_us = 0;
    /// CPU time of the process a request, but for the client's thread.
    double server_cpu_us = 0;
};

/// Opens connections to 127.0.0.1, has each send so many requests, one after the other, checks every
/// byte of the answers, and closes the connections. All on the calling thread, by an epoll of its own.
///
/// What comes before the clock starts: a few requests a connection.
///
/// @throws std::runtime_error where an answer is wrong or none has come for ten seconds.
observed put_load(
    unsigned short port, const workload& what, std::size_t connections, std::size_t requests_each);

} // namespace servers

#endif
