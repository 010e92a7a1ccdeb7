// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_BENCH_CHILDREN_HOST_HPP
#define LOOPS_BENCH_CHILDREN_HOST_HPP

#include <cstdio>
#include <string>
#include <vector>

#include <sys/types.h>

namespace children {

/// A program in another language, in a process that lives as long as this.
class host
{
public:
    /// @param command The program's path, and its arguments.
    /// @throws std::system_error
    explicit host(std::vector<std::string> command);
    host(const host&) = delete;
    host& operator=(const host&) = delete;
    ~host();

    pid_t pid() const { return pid_; }

    /// Its standard input.
    void tell(const std::string& text) const;

    /// Its standard output.
    std::FILE* said() const { return from_; }

private:
    pid_t pid_ = 0;
    std::FILE* to_ = nullptr;
    std::FILE* from_ = nullptr;
};

} // namespace children

#endif
