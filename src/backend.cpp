// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/backend.hpp>

#include "platform/system.hpp"

#include <algorithm>
#include <cmath>
#include <thread>

namespace loops {
inline namespace LOOPS_ABI {

backend_type backend() noexcept
{
#if defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
    return backend_type::io_uring;
#elif defined(BOOST_ASIO_HAS_EPOLL)
    return backend_type::epoll;
#elif defined(BOOST_ASIO_HAS_KQUEUE)
    return backend_type::kqueue;
#elif defined(BOOST_ASIO_HAS_IOCP)
    return backend_type::iocp;
#else
    return backend_type::select;
#endif
}

std::string_view to_string(backend_type backend) noexcept
{
    switch (backend)
    {
    case backend_type::epoll: return "epoll";
    case backend_type::io_uring: return "io_uring";
    case backend_type::select: return "select";
    case backend_type::kqueue: return "kqueue";
    case backend_type::iocp: return "iocp";
    }
    return "unknown";
}

std::size_t available_parallelism()
{
    std::size_t count = platform::allowed_cpus().size();
    if (count == 0)
        count = std::thread::hardware_concurrency();
    if (const auto quota = platform::cpu_quota())
        count = std::min(count, static_cast<std::size_t>(std::ceil(*quota)));
    return std::max<std::size_t>(count, 1);
}

} // namespace LOOPS_ABI
} // namespace loops
