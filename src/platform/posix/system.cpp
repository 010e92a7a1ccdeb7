// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/system.hpp"

#include "platform/fault.hpp"

#include <boost/system/system_error.hpp>

#include <csignal>
#include <new>
#include <system_error>
#include <utility>

#include <pthread.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

class all_signals_blocked
{
public:
    all_signals_blocked() noexcept
    {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }

    all_signals_blocked(const all_signals_blocked&) = delete;
    all_signals_blocked& operator=(const all_signals_blocked&) = delete;

    ~all_signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

} // namespace

pid_type process_id() noexcept
{
    return ::getpid();
}

std::thread start_thread(std::function<void()> body)
{
    if (injected_fault("thread"))
        throw boost::system::system_error(errno, boost::system::system_category());
    const all_signals_blocked blocked;
    try
    {
        return std::thread(std::move(body));
    }
    catch (const std::system_error& e)
    {
        throw boost::system::system_error(e.code().value(), boost::system::system_category());
    }
}

void at_fork(void (*prepare)(), void (*parent)(), void (*child)())
{
    if (pthread_atfork(prepare, parent, child) != 0)
        throw std::bad_alloc();
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
