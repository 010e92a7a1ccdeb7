// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_SUPERVISOR_HPP
#define LOOPS_IMPL_SUPERVISOR_HPP

#include <loops/detail/erase_handler.hpp>
#include <loops/process/supervisor.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code)) CompletionToken>
auto supervisor::async_run(CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, void(error_code)>(
        [this](auto&& handler) {
            start_run(detail::erase_handler_as<void(error_code)>(
                std::forward<decltype(handler)>(handler)));
        },
        token);
}

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code)) CompletionToken>
auto supervisor::async_wait_ready(CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, void(error_code)>(
        [this](auto&& handler) {
            start_wait_ready(detail::erase_handler_as<void(error_code)>(
                std::forward<decltype(handler)>(handler)));
        },
        token);
}

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code)) CompletionToken>
auto supervisor::async_restart(CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, void(error_code)>(
        [this](auto&& handler) {
            start_restart(detail::erase_handler_as<void(error_code)>(
                std::forward<decltype(handler)>(handler)));
        },
        token);
}

} // namespace LOOPS_ABI
} // namespace loops

#endif
