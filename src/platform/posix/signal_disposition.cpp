// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/signal_disposition.hpp"

#include <csignal>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

struct signal_disposition::impl
{
    int signal;
    struct sigaction before;
};

signal_disposition::signal_disposition(int signal) : impl_(std::make_unique<impl>())
{
    impl_->signal = signal;
    ::sigaction(signal, nullptr, &impl_->before);
}

signal_disposition::~signal_disposition()
{
    ::sigaction(impl_->signal, &impl_->before, nullptr);
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
