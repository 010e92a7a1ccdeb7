// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_SANITIZERS_HPP
#define LOOPS_TEST_SUPPORT_SANITIZERS_HPP

// Which sanitizers this is built with: GCC says so by a macro, Clang by a feature.

#if defined(__has_feature)
#define LOOPS_TEST_HAS_FEATURE(x) __has_feature(x)
#else
#define LOOPS_TEST_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || LOOPS_TEST_HAS_FEATURE(address_sanitizer)
#define LOOPS_TEST_ADDRESS_SANITIZER 1
#else
#define LOOPS_TEST_ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__) || LOOPS_TEST_HAS_FEATURE(thread_sanitizer)
#define LOOPS_TEST_THREAD_SANITIZER 1
#else
#define LOOPS_TEST_THREAD_SANITIZER 0
#endif

#if LOOPS_TEST_THREAD_SANITIZER && !defined(__clang__)
#define LOOPS_TEST_GCC_THREAD_SANITIZER 1
#else
#define LOOPS_TEST_GCC_THREAD_SANITIZER 0
#endif

#endif
