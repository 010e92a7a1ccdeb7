// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Since Boost 1.86 operations have a default token.
#include_next <boost/asio/io_context.hpp>

#ifndef LOOPS_TEST_DEFAULT_TOKEN
#define LOOPS_TEST_DEFAULT_TOKEN

#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>

namespace boost {
namespace asio {

template <>
struct default_completion_token<io_context::executor_type>
{
    using type = deferred_t;
};

} // namespace asio
} // namespace boost

#endif
