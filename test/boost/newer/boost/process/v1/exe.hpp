// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define LOOPS_TEST_WITHIN_BOOST_PROCESS_V1
#include <boost/process/exe.hpp>
#undef LOOPS_TEST_WITHIN_BOOST_PROCESS_V1

namespace boost {
namespace process {
namespace v1 {
using process::exe;
}
} // namespace process
} // namespace boost
