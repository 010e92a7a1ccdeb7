// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_SECCOMP_HPP
#define LOOPS_TEST_SUPPORT_SECCOMP_HPP

#include <array>
#include <cstddef>
#include <cstdint>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

namespace test {

// Has the kernel refuse a system call of this thread, and of those that it starts, for good: for a
// forked child. False where it cannot be had.
inline bool refuse_system_call(long number, int code)
{
    constexpr std::uint16_t load = BPF_LD | BPF_W | BPF_ABS;
    constexpr std::uint16_t jump_if_equal = BPF_JMP | BPF_JEQ | BPF_K;
    constexpr std::uint16_t give = BPF_RET | BPF_K;
    std::array<sock_filter, 4> filter{{
        {load, 0, 0, offsetof(seccomp_data, nr)},
        {jump_if_equal, 0, 1, static_cast<std::uint32_t>(number)},
        {give, 0, 0, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(code)},
        {give, 0, 0, SECCOMP_RET_ALLOW},
    }};
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

constexpr long pidfd_open_number = 434; // the same everywhere, and older headers lack it

} // namespace test

#endif
