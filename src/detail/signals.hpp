// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_SIGNALS_HPP
#define LOOPS_SRC_DETAIL_SIGNALS_HPP

#include <loops/policy.hpp>

#include "platform/signal_disposition.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <exception>
#include <functional>
#include <thread>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// While it lives, the first SIGINT or SIGTERM starts a drain, and the next one stops. A thread of
// its own listens, since the policy's loops may be busy, or be the ones that are to be stopped.
class stop_signals
{
public:
    stop_signals(std::function<drain_report()> drain, std::function<void()> stop);
    stop_signals(const stop_signals&) = delete;
    stop_signals& operator=(const stop_signals&) = delete;
    ~stop_signals();

    // Ends the listening, waits for a drain that is under way, and gives its report, or throws what
    // the drain threw.
    drain_report report();

private:
    void listen();
    void finish();

    const std::function<drain_report()> drain_;
    const std::function<void()> stop_;
    asio::io_context loop_{1};
    // Asio leaves SIG_DFL where it took a signal from somebody; what was there comes back after.
    platform::signal_disposition interrupt_;
    platform::signal_disposition terminate_;
    asio::signal_set signals_;
    std::thread listener_;
    std::thread drainer_;
    drain_report report_;
    std::exception_ptr failure_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
