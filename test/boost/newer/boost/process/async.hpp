// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_WITHIN_BOOST_PROCESS_V1
#error "Boost 1.88 has no such header"
#endif
#include_next <boost/process/async.hpp>
