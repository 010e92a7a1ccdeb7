// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/backend_need.hpp"

#include <loops/backend.hpp>
#include <loops/error.hpp>

#include <string>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

creation need_backend(backend_kind kind, const char* policy, creation where)
{
    const backend_type has = backend();
    const backend_kind is = has == backend_type::io_uring || has == backend_type::iocp
                                ? backend_kind::completion
                                : backend_kind::readiness;
    if (is != kind)
        throw_error(error::backend_unavailable,
            "making policy '" + std::string(policy) + "', which needs a " +
                (kind == backend_kind::completion ? "completion backend (io_uring, IOCP)"
                                                  : "readiness backend (epoll, kqueue, select)") +
                "; this build holds " + std::string(to_string(has)) +
                ": build Loops, and the program, with asio-backend=" +
                (kind == backend_kind::completion ? "io_uring" : "epoll"));
    return where;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
