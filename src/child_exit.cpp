// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/child_exit.hpp>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

// The coding that every system with waitpid() shares: the low seven bits are the signal, the
// eighth tells of a core image, and the next byte is the exit code.
constexpr int signal_bits = 0x7f;
constexpr int core_bit = 0x80;
constexpr int code_shift = 8;
constexpr int code_bits = 0xff;

} // namespace

bool child_exit::exited() const noexcept
{
    return pid_ != 0 && (status_ & signal_bits) == 0;
}

int child_exit::exit_code() const noexcept
{
    return exited() ? (status_ >> code_shift) & code_bits : 0;
}

bool child_exit::signaled() const noexcept
{
    const int signal = status_ & signal_bits;
    return signal != 0 && signal != signal_bits; // all ones: it only stopped
}

int child_exit::term_signal() const noexcept
{
    return signaled() ? status_ & signal_bits : 0;
}

bool child_exit::core_dumped() const noexcept
{
    return signaled() && (status_ & core_bit) != 0;
}

int child_exit::returncode() const noexcept
{
    return signaled() ? -term_signal() : exit_code();
}

} // namespace LOOPS_ABI
} // namespace loops
