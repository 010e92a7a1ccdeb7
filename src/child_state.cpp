// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/child_state.hpp>

#include "platform/wait_status.hpp"

namespace loops {
inline namespace LOOPS_ABI {

namespace wait_status = platform::wait_status;

bool child_state::stopped() const noexcept
{
    return pid() != 0 && wait_status::is_stopped(native_status());
}

int child_state::stop_signal() const noexcept
{
    return stopped() ? (native_status() >> wait_status::code_shift) & wait_status::code_bits : 0;
}

bool child_state::continued() const noexcept
{
    return pid() != 0 && wait_status::is_continued(native_status());
}

bool child_state::ended() const noexcept
{
    return pid() != 0 && wait_status::is_ended(native_status());
}

} // namespace LOOPS_ABI
} // namespace loops
