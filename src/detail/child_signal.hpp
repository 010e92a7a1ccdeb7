// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_CHILD_SIGNAL_HPP
#define LOOPS_SRC_DETAIL_CHILD_SIGNAL_HPP

#include <loops/config.hpp>

#include "platform/posix/child_signal.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// SIGCHLD, taken while it lives, and given back as it was found. A signal set of Asio's holds it, so
// that the application's sets neither take it from us nor drop it for us when they go; and a handler
// of ours stands before Asio's, which would keep nobody else's, and would leave the default behind.
class child_signal
{
public:
    // `wake` is called in the signal's handler.
    explicit child_signal(void (*wake)());
    child_signal(const child_signal&) = delete;
    child_signal& operator=(const child_signal&) = delete;
    ~child_signal();

    // Takes what came through Asio. It is not what wakes: in a forked child Asio's pipe is the
    // parent's as well.
    void drain();

    // Whether the signal still reaches us.
    bool reaches_us() noexcept;

    // What is to be said of that through the log hook, with no lock held; null: nothing new.
    const char* take_message() noexcept { return std::exchange(message_, nullptr); }

private:
    void listen();

    const platform::signal_action before_; // first: what was there
    asio::io_context loop_{1};
    asio::signal_set signals_{loop_};
    platform::signal_action asios_{};
    const bool inherited_; // ours was there: this is a process that was forked while it was
    platform::child_signal_owner owner_ = platform::child_signal_owner::us;
    const char* message_ = nullptr;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
