// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Boost.Process, wherever this Boost has it. The second generation is boost::process::v2 in all versions. What
// is defined before this is included brings more:
//
// LOOPS_WITH_BOOST_PROCESS_V1: the first generation, as loops::detail::boost_process_v1. Whoever wants the
// second one only needs not be slowed down by it, nor have it at all.
// LOOPS_WITH_BOOST_PROCESS_ENVIRONMENT, in one source of a program that uses process_environment: the function
// that 1.81 has forgotten to include, and to make inline.

#ifndef LOOPS_DETAIL_BOOST_PROCESS_HPP
#define LOOPS_DETAIL_BOOST_PROCESS_HPP

#include <loops/config.hpp>

#include <boost/process/v2/environment.hpp>
#include <boost/process/v2/posix/bind_fd.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/start_dir.hpp>
#include <boost/process/v2/stdio.hpp>

#endif

#if defined(LOOPS_WITH_BOOST_PROCESS_ENVIRONMENT) && !defined(LOOPS_BOOST_PROCESS_IS_COMPILED)
#include <boost/process/v2/impl/environment.ipp>
#endif

#if defined(LOOPS_WITH_BOOST_PROCESS_V1) && !defined(LOOPS_DETAIL_BOOST_PROCESS_V1)
#define LOOPS_DETAIL_BOOST_PROCESS_V1

#ifdef LOOPS_BOOST_PROCESS_V1_HAS_FOLDER
#include <boost/process/v1/args.hpp>
#include <boost/process/v1/async.hpp>
#include <boost/process/v1/child.hpp>
#include <boost/process/v1/exe.hpp>
#else
#include <boost/process/args.hpp>
#include <boost/process/async.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#endif

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

#ifdef LOOPS_BOOST_PROCESS_V1_HAS_NAMESPACE
namespace boost_process_v1 = boost::process::v1;
#else
namespace boost_process_v1 = boost::process;
#endif

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
