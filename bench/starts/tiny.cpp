// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// A program that only ends: without the C library, which it would take longer to start.

#include <sys/syscall.h>

extern "C" [[noreturn]] void _start()
{
    for (;;)
    {
#if defined(__x86_64__)
        asm volatile("syscall" : : "a"(SYS_exit_group), "D"(0) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
        register long number asm("x8") = SYS_exit_group;
        register long status asm("x0") = 0;
        asm volatile("svc 0" : : "r"(number), "r"(status) : "memory");
#else
#error how a program ends is not known here
#endif
    }
}
