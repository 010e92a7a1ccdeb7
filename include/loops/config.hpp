// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_CONFIG_HPP
#define LOOPS_CONFIG_HPP

/// @file
/// What the compiler, the platform and Asio offer, decided in this one place.

#include <boost/version.hpp>

// Before anything that an older Boost may not have.
#if BOOST_VERSION < 108100
#error "Loops needs Boost 1.81 or newer: cancellation and any_completion_handler come from there"
#endif

#include <boost/asio/detail/config.hpp>
#include <boost/config.hpp>
#include <boost/config/helper_macros.hpp>

/// @cond

// The reactor that Asio was compiled with, and Boost's version, shape every object that a program
// and the library share. They stand in the name of the inline namespace, so that a mismatch is an
// undefined reference at link time, where it would otherwise be a crash.
#if defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
#define LOOPS_ABI_BACKEND io_uring_
#elif defined(BOOST_ASIO_HAS_EPOLL)
#define LOOPS_ABI_BACKEND epoll_
#elif defined(BOOST_ASIO_HAS_KQUEUE)
#define LOOPS_ABI_BACKEND kqueue_
#elif defined(BOOST_ASIO_HAS_IOCP)
#define LOOPS_ABI_BACKEND iocp_
#else
#define LOOPS_ABI_BACKEND select_
#endif
#define LOOPS_ABI BOOST_JOIN(LOOPS_ABI_BACKEND, BOOST_VERSION)

#if defined(LOOPS_DYN_LINK)
#if defined(LOOPS_BUILDING)
#define LOOPS_DECL BOOST_SYMBOL_EXPORT
#else
#define LOOPS_DECL BOOST_SYMBOL_IMPORT
#endif
#else
#define LOOPS_DECL
#endif

// Types whose identity must hold across shared objects: exceptions and error categories.
#define LOOPS_VISIBLE BOOST_SYMBOL_VISIBLE

/// @endcond

#if defined(BOOST_ASIO_HAS_CO_AWAIT)
/// Defined where the compiler has coroutines, and with them all that takes an `asio::awaitable`.
#define LOOPS_HAS_COROUTINES 1
#endif

// Whether a handler may have an executor for what completes at once.
#if BOOST_VERSION >= 108200
#define LOOPS_HAS_IMMEDIATE_EXECUTORS 1
#endif

// Where Boost.Process is: detail/boost_process.hpp asks. Its first generation moved to a folder of its
// own in 1.86, when the second became a library to link with, and to a namespace of its own in 1.88.
#if BOOST_VERSION >= 108600
#define LOOPS_BOOST_PROCESS_IS_COMPILED 1
#define LOOPS_BOOST_PROCESS_V1_HAS_FOLDER 1
#endif
#if BOOST_VERSION >= 108800
#define LOOPS_BOOST_PROCESS_V1_HAS_NAMESPACE 1
#endif

namespace boost {
namespace asio {}
namespace system {}
} // namespace boost

namespace loops {
inline namespace LOOPS_ABI {

namespace asio = boost::asio;

/// A process identifier, as POSIX's `pid_t`.
using pid_type = int;

} // namespace LOOPS_ABI
} // namespace loops

#endif
