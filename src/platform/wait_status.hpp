// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_WAIT_STATUS_HPP
#define LOOPS_SRC_PLATFORM_WAIT_STATUS_HPP

#include <loops/config.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace wait_status {

// The coding that every system with waitpid() shares: the low seven bits are the signal, the
// eighth tells of a core image, and the next byte is the exit code. All of the seven: it stopped,
// and the next byte is the signal; all of the sixteen: it went on.
constexpr int signal_bits = 0x7f;
constexpr int core_bit = 0x80;
constexpr int code_shift = 8;
constexpr int code_bits = 0xff;
constexpr int went_on = 0xffff;

constexpr int of_exit(int code) noexcept
{
    return (code & code_bits) << code_shift;
}

constexpr int of_stop(int signal) noexcept
{
    return (signal << code_shift) | signal_bits;
}

constexpr bool is_continued(int status) noexcept
{
    return status == went_on;
}

constexpr bool is_stopped(int status) noexcept
{
    return !is_continued(status) && (status & (signal_bits | core_bit)) == signal_bits;
}

constexpr bool is_ended(int status) noexcept
{
    return !is_continued(status) && !is_stopped(status);
}

constexpr bool is_exit(int status) noexcept
{
    return (status & signal_bits) == 0;
}

} // namespace wait_status
} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
