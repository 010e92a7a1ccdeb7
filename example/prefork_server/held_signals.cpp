// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "held_signals.hpp"

#include <csignal>
#include <initializer_list>

namespace prefork {
namespace {

void mask_stop_signals(int how) noexcept
{
    sigset_t both;
    ::sigemptyset(&both);
    ::sigaddset(&both, SIGINT);
    ::sigaddset(&both, SIGTERM);
    ::pthread_sigmask(how, &both, nullptr);
}

} // namespace

void hold_stop_signals() noexcept
{
    mask_stop_signals(SIG_BLOCK);
}

bool are_stop_signals_handled() noexcept
{
    for (const int number : {SIGINT, SIGTERM})
    {
        struct sigaction now = {};
        if (::sigaction(number, nullptr, &now) != 0 || now.sa_handler == SIG_DFL)
            return false;
    }
    return true;
}

void release_stop_signals() noexcept
{
    mask_stop_signals(SIG_UNBLOCK);
}

} // namespace prefork
