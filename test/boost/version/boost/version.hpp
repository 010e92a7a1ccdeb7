// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// The Boost that is here, called another version.
#include_next <boost/version.hpp>

#undef BOOST_VERSION
#define BOOST_VERSION LOOPS_TEST_BOOST_VERSION
