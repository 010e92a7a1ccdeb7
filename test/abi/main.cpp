// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#if defined(LOOPS_TEST_OTHER_BACKEND)
#if defined(BOOST_ASIO_DISABLE_EPOLL)
#undef BOOST_ASIO_DISABLE_EPOLL
#undef BOOST_ASIO_HAS_IO_URING
#else
#define BOOST_ASIO_DISABLE_EPOLL
#endif
#endif

#include <loops/error.hpp>

int main()
{
    return loops::loops_category().name() == nullptr;
}
