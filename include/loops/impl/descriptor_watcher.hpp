// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_DESCRIPTOR_WATCHER_HPP
#define LOOPS_IMPL_DESCRIPTOR_WATCHER_HPP

#include <loops/detail/erase_handler.hpp>
#include <loops/watcher/descriptor_watcher.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, descriptor_events)) CompletionToken>
auto descriptor_watcher::async_wait(int fd, descriptor_events wanted, CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, void(error_code, descriptor_events)>(
        [this](auto&& handler, int which, descriptor_events what) {
            start_wait(which, what,
                detail::erase_handler_as<void(error_code, descriptor_events)>(
                    std::forward<decltype(handler)>(handler)));
        },
        token, fd, wanted);
}

} // namespace LOOPS_ABI
} // namespace loops

#endif
