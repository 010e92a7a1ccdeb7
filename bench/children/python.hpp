// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_CHILDREN_PYTHON_HPP
#define LOOPS_BENCH_CHILDREN_PYTHON_HPP

#include <string>
#include <vector>

namespace children {

/// Whether there is Debian's Python.
bool has_python();

/// Whether that has uvloop.
bool has_uvloop();

/// The command that has Python run a script which stands beside this program.
std::vector<std::string> python(const std::string& script, const std::vector<std::string>& given);

} // namespace children

#endif
