// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Since Boost 1.82 a handler may have an executor for what completes at once. This one has what the
// handler has, or none.
#ifndef LOOPS_TEST_ASSOCIATED_IMMEDIATE_EXECUTOR
#define LOOPS_TEST_ASSOCIATED_IMMEDIATE_EXECUTOR

#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/require.hpp>

#include <type_traits>

namespace boost {
namespace asio {

template <class Handler, class = void>
struct has_immediate_executor : std::false_type
{};
template <class Handler>
struct has_immediate_executor<Handler, std::void_t<typename Handler::immediate_executor_type>>
    : std::true_type
{};

template <class Handler, class Executor>
auto get_associated_immediate_executor(const Handler& handler, const Executor& executor)
{
    if constexpr (has_immediate_executor<Handler>::value)
        return handler.get_immediate_executor();
    else
        return asio::require(executor, execution::blocking.never);
}

} // namespace asio
} // namespace boost

#endif
