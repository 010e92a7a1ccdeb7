// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_PARKING_GATE_HPP
#define LOOPS_SRC_DETAIL_PARKING_GATE_HPP

#include <loops/config.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Whether another thread has parked the loops, so that no run may begin on this one.
bool is_parked_here() noexcept;

// Waits until that is over.
void wait_while_parked();

// Lets a thread that is in no run judge and destroy loops: while one lives, nobody parks, and where
// somebody has parked, it is false.
class unparked
{
public:
    unparked();
    unparked(const unparked&) = delete;
    unparked& operator=(const unparked&) = delete;
    ~unparked();

    explicit operator bool() const noexcept { return counted_; }

private:
    bool counted_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
