// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_SIGNAL_DISPOSITION_HPP
#define LOOPS_SRC_PLATFORM_SIGNAL_DISPOSITION_HPP

#include <loops/config.hpp>

#include <memory>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

// What a process does about a signal: read when made, put back when destroyed.
class signal_disposition
{
public:
    explicit signal_disposition(int signal);
    signal_disposition(const signal_disposition&) = delete;
    signal_disposition& operator=(const signal_disposition&) = delete;
    ~signal_disposition();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
