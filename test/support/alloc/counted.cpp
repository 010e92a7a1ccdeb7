// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "support/alloc/counted.hpp"

#include <atomic>
#include <cerrno>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOOPS_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define LOOPS_TEST_SANITIZED 1
#endif
#endif

namespace {

std::atomic<std::size_t> count{0};
thread_local long until_refused = -1;
thread_local bool refused_one = false;

} // namespace

namespace test {

std::size_t allocations() noexcept
{
    return count.load();
}

bool counts_allocations() noexcept
{
#if defined(LOOPS_TEST_SANITIZED) || !defined(__GLIBC__)
    return false;
#else
    return true;
#endif
}

refused_allocation::refused_allocation(long left) noexcept
{
    until_refused = left;
}

refused_allocation::~refused_allocation()
{
    until_refused = -1;
}

bool refused_allocation::came_to_it() noexcept
{
    return refused_one;
}

} // namespace test

#if !defined(LOOPS_TEST_SANITIZED) && defined(__GLIBC__)

namespace {

bool refused() noexcept
{
    ++count;
    if (until_refused < 0 || until_refused-- > 0)
        return false;
    refused_one = true;
    errno = ENOMEM;
    return true;
}

} // namespace

// Operator new asks malloc or aligned_alloc; the memory is glibc's, so that its free() fits. Visible,
// for the shared libraries shall find these.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): glibc's are reserved
#pragma GCC visibility push(default)
extern "C" {

void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size)
{
    return refused() ? nullptr : __libc_malloc(size);
}

void* calloc(std::size_t number, std::size_t size)
{
    return refused() ? nullptr : __libc_calloc(number, size);
}

void* realloc(void* old, std::size_t size)
{
    return refused() ? nullptr : __libc_realloc(old, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size)
{
    return refused() ? nullptr : __libc_memalign(alignment, size);
}

void* memalign(std::size_t alignment, std::size_t size)
{
    return refused() ? nullptr : __libc_memalign(alignment, size);
}

int posix_memalign(void** result, std::size_t alignment, std::size_t size)
{
    *result = refused() ? nullptr : __libc_memalign(alignment, size);
    return *result != nullptr ? 0 : ENOMEM;
}
}
#pragma GCC visibility pop
// NOLINTEND(readability-inconsistent-declaration-parameter-name)

#endif
