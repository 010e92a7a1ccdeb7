// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_GETTER_HPP
#define LOOPS_BENCH_GETTER_HPP

#include <boost/asio/io_context.hpp>
#include <boost/config.hpp>

namespace getter {

/// The least that a current loop can cost which plug-ins agree on: a function that a shared library
/// exports, of a pointer that each thread has.
BOOST_SYMBOL_VISIBLE boost::asio::io_context* get() noexcept;

BOOST_SYMBOL_VISIBLE void set(boost::asio::io_context* loop) noexcept;

} // namespace getter

#endif
