// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_DEFAULT_TOKEN_HPP
#define LOOPS_DETAIL_DEFAULT_TOKEN_HPP

#include <loops/config.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The token of an operation to which none is given: what Asio has for a loop's own executors. That is
// asio::deferred since Boost 1.86. Before there is none: void, of which no token can be made.
using default_token = asio::default_completion_token<asio::io_context::executor_type>::type;

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
