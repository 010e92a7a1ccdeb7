// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_QUIET_GUEST_HPP
#define LOOPS_TEST_SUPPORT_QUIET_GUEST_HPP

#include <loops/loop_guest.hpp>

#include <chrono>
#include <optional>

#include <sys/eventfd.h>
#include <unistd.h>

namespace test {

// A guest with a descriptor, and nothing to do.
class quiet_guest : public loops::loop_guest
{
public:
    quiet_guest() = default;
    ~quiet_guest() override { ::close(event_); }

    bool run_ready() override { return false; }
    std::optional<std::chrono::milliseconds> prepare() override { return std::nullopt; }
    int native_handle() const override { return event_; }
    bool has_work() const override { return false; }

private:
    const int event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
};

} // namespace test

#endif
