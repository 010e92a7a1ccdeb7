// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_CGROUP_SCOPE_HPP
#define LOOPS_IMPL_CGROUP_SCOPE_HPP

#include <loops/detail/erase_handler.hpp>
#include <loops/process/cgroup_scope.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code)) CompletionToken>
auto cgroup_scope::async_wait_empty(asio::io_context& loop, CompletionToken&& token) const
{
    return asio::async_initiate<CompletionToken, void(error_code)>(
        [this, &loop](auto&& handler) {
            start_wait_empty(loop, detail::erase_handler_as<void(error_code)>(
                                       std::forward<decltype(handler)>(handler)));
        },
        token);
}

} // namespace LOOPS_ABI
} // namespace loops

#endif
