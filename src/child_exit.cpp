// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/child_exit.hpp>

#include "platform/wait_status.hpp"

namespace loops {
inline namespace LOOPS_ABI {

namespace wait_status = platform::wait_status;

bool child_exit::exited() const noexcept
{
    return pid_ != 0 && wait_status::is_exit(status_);
}

int child_exit::exit_code() const noexcept
{
    return exited() ? (status_ >> wait_status::code_shift) & wait_status::code_bits : 0;
}

bool child_exit::signaled() const noexcept
{
    return wait_status::is_ended(status_) && !wait_status::is_exit(status_);
}

int child_exit::term_signal() const noexcept
{
    return signaled() ? status_ & wait_status::signal_bits : 0;
}

bool child_exit::core_dumped() const noexcept
{
    return signaled() && (status_ & wait_status::core_bit) != 0;
}

int child_exit::returncode() const noexcept
{
    return signaled() ? -term_signal() : exit_code();
}

} // namespace LOOPS_ABI
} // namespace loops
