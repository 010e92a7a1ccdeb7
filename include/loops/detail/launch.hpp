// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_LAUNCH_HPP
#define LOOPS_DETAIL_LAUNCH_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/process/start.hpp>

#include <cstddef>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// A program that is started as start_process() does, with a function that is called in the child before.
struct launch_request
{
    const char* program;
    const char* const* arguments;
    const char* const* environment;
    // Gives an errno. What it leaves open the program has.
    int (*setup)(void* context);
    void* context;
    // Of this process's, of those that setup uses or leaves open.
    int highest_descriptor;
};

LOOPS_DECL started_process launch(const launch_request& what, error_code& ec);

// In the child: closes all but those, which ascend.
LOOPS_DECL void close_all_but(const int* kept, std::size_t count) noexcept;

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
