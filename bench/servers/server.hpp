// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_SERVERS_SERVER_HPP
#define LOOPS_BENCH_SERVERS_SERVER_HPP

#include "../measure.hpp"
#include "workload.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace servers {

/// A server on a free port of 127.0.0.1, from its making to its end.
class server
{
public:
    virtual ~server() = default;
    virtual unsigned short port() const = 0;
};

/// A way to run the same sessions.
struct kind
{
    std::string name;
    std::function<std::unique_ptr<server>(protocol)> start;
};

/// The ways that are compared: a pool written by hand, first; one `io_context` that as many threads run;
/// one that one thread runs; and policies, by their descriptions.
/// @param threads How many threads and, in pools, loops.
/// @param microsecond What takes one; it has to live as long as the servers.
std::vector<kind> kinds(std::size_t threads, const measure::busy_work& microsecond);

} // namespace servers

#endif
