// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_PROCESS_WATCHER_HPP
#define LOOPS_IMPL_PROCESS_WATCHER_HPP

#include <loops/detail/erase_handler.hpp>
#include <loops/watcher/process_watcher.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, process_event)) CompletionToken>
auto process_watcher::async_wait(CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, void(error_code, process_event)>(
        [this](auto&& handler) {
            start_wait(detail::erase_handler_as<void(error_code, process_event)>(
                std::forward<decltype(handler)>(handler)));
        },
        token);
}

} // namespace LOOPS_ABI
} // namespace loops

#endif
