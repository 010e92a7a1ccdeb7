// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_SERVERS_WORKLOAD_HPP
#define LOOPS_BENCH_SERVERS_WORKLOAD_HPP

#include <cstddef>
#include <string>
#include <vector>

namespace servers {

enum class protocol
{
    /// Messages of one size, which come back as they are.
    echo,
    /// HTTP/1.1 on connections that stay open: a GET without a body, a short text as the answer.
    http,
};

/// A request, byte by byte, that has the server compute for so many microseconds.
std::string request(protocol how, unsigned work_us);

/// What the server answers to it.
std::string reply(protocol how, const std::string& request);

/// The microseconds that a request asks for.
unsigned work_of(protocol how, const char* request);

/// How long an echoed message is.
constexpr std::size_t echo_size = 64;

/// What is asked of a server: connections that send one request after the other, each when the last
/// one's answer is there.
struct workload
{
    std::string name;
    protocol how;
    /// What the connections ask for, in turn.
    std::vector<unsigned> work_us;
};

} // namespace servers

#endif
