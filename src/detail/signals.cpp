// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/signals.hpp"

#include "platform/system.hpp"

#include <csignal>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

stop_signals::stop_signals(std::function<drain_report()> drain, std::function<void()> stop)
    : drain_(std::move(drain)),
      stop_(std::move(stop)),
      interrupt_(SIGINT),
      terminate_(SIGTERM),
      signals_(loop_, SIGINT, SIGTERM)
{
    listen();
    listener_ = platform::start_thread([this] { loop_.run(); });
}

stop_signals::~stop_signals()
{
    finish();
}

void stop_signals::listen()
{
    signals_.async_wait([this](const error_code& ec, int) {
        if (ec)
            return;
        if (drainer_.joinable())
        {
            stop_();
            return;
        }
        drainer_ = platform::start_thread([this] {
            try
            {
                report_ = drain_();
            }
            catch (...) // by a function given to on_drain(): then there is no drain
            {
                failure_ = std::current_exception();
                stop_();
            }
        });
        listen();
    });
}

void stop_signals::finish()
{
    loop_.stop();
    if (listener_.joinable())
        listener_.join();
    if (drainer_.joinable())
        drainer_.join();
}

drain_report stop_signals::report()
{
    finish();
    if (failure_)
        std::rethrow_exception(failure_);
    return report_;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
