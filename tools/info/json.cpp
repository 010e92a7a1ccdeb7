// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Boost.JSON, compiled into this program: no library of it needs to be installed.
#include <boost/json/src.hpp>
