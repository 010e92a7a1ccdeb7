// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_FORK_HPP
#define LOOPS_SRC_DETAIL_FORK_HPP

#include <loops/config.hpp>

#include <memory>
#include <mutex>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// How many forks lie between the first process of this image and the calling one. What remembers
// the number it was made under knows whether it belongs to this process.
unsigned fork_generation() noexcept;

// A mutex that no forked child inherits locked by a thread that does not exist there, and so never
// guards something half changed: a fork waits until it holds all of them at once. Hold it shortly,
// and run no code of users meanwhile: that could fork. Have few of them: ThreadSanitizer follows no
// more than 64 that are held at a time.
class fork_mutex : public std::mutex
{
public:
    fork_mutex();
    fork_mutex(const fork_mutex&) = delete;
    fork_mutex& operator=(const fork_mutex&) = delete;
    ~fork_mutex();
};

// Keeps for ever what a forked child inherited and must not destroy: what the parent's threads use,
// or wait for, at the moment of the fork would be waited for without end.
void leave_behind(std::shared_ptr<void> inherited) noexcept;

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
