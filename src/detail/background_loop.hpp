// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_BACKGROUND_LOOP_HPP
#define LOOPS_SRC_DETAIL_BACKGROUND_LOOP_HPP

#include <loops/config.hpp>

#include <boost/asio/io_context.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// A loop that threads of the library run, made on first use: for what has no loop. It is what
// asio::system_context is, but has threads in a forked child, too.
asio::io_context& background_loop();

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
