// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_PROCESS_GROUP_HPP
#define LOOPS_IMPL_PROCESS_GROUP_HPP

#include <loops/detail/erase_handler.hpp>
#include <loops/process/process_group.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, child_exit)) CompletionToken>
auto process_group::async_run(command what, CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, void(error_code, child_exit)>(
        [this](auto&& handler, const command& program) {
            start_run(program, detail::erase_handler_as<void(error_code, child_exit)>(
                                   std::forward<decltype(handler)>(handler)));
        },
        token, std::move(what));
}

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code)) CompletionToken>
auto process_group::async_wait_all(CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, void(error_code)>(
        [this](auto&& handler) {
            start_wait_all(detail::erase_handler_as<void(error_code)>(
                std::forward<decltype(handler)>(handler)));
        },
        token);
}

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, child_exit)) CompletionToken>
auto process_group::async_wait_any(CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, void(error_code, child_exit)>(
        [this](auto&& handler) {
            start_wait_any(detail::erase_handler_as<void(error_code, child_exit)>(
                std::forward<decltype(handler)>(handler)));
        },
        token);
}

} // namespace LOOPS_ABI
} // namespace loops

#endif
