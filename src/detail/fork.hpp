// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_FORK_HPP
#define LOOPS_SRC_DETAIL_FORK_HPP

#include <loops/config.hpp>

#include <mutex>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// How many forks lie between the first process of this image and the calling one. What remembers
// the number it was made under knows whether it belongs to this process.
unsigned fork_generation() noexcept;

// Holds `mutex`, which must live for ever, around every fork from now on, so that a child never
// inherits it in the hands of a thread that does not exist there. Mutexes are taken in the order
// of these calls.
void hold_around_fork(std::mutex& mutex);

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
