// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_CHILDREN_PYTHON_HPP
#define LOOPS_BENCH_CHILDREN_PYTHON_HPP

#include <cstdio>
#include <string>
#include <vector>

#include <sys/types.h>

namespace children {

/// A script that stands beside this program, run by Python in a process that lives as long as this.
class python
{
public:
    /// @param given The arguments of the script.
    /// @throws std::system_error
    python(const std::string& script, const std::vector<std::string>& given);
    python(const python&) = delete;
    python& operator=(const python&) = delete;
    ~python();

    pid_t pid() const { return pid_; }

    /// Its standard input.
    void tell(const std::string& text);

    /// Its standard output.
    std::FILE* said() const { return from_; }

    static bool is_there();

private:
    pid_t pid_ = 0;
    std::FILE* to_ = nullptr;
    std::FILE* from_ = nullptr;
};

} // namespace children

#endif
