// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_ALLOC_COUNTED_HPP
#define LOOPS_TEST_SUPPORT_ALLOC_COUNTED_HPP

#include <cstddef>

namespace test {

// How often memory was asked for in this process, by whatever function. Programs with "alloc" in
// their name have this.
std::size_t allocations() noexcept;

// False where something else replaces those functions.
bool counts_allocations() noexcept;

// Refuses one allocation of this thread while it lives: the one after `left` others.
class refused_allocation
{
public:
    explicit refused_allocation(long left) noexcept;
    refused_allocation(const refused_allocation&) = delete;
    refused_allocation& operator=(const refused_allocation&) = delete;
    ~refused_allocation();

    // Whether this thread came that far, at any time.
    static bool came_to_it() noexcept;
};

} // namespace test

#endif
