// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/posix/child_signal.hpp"

#include "platform/linux/child.hpp"

#include <atomic>
#include <cerrno>
#include <thread>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

using plain_handler = void (*)(int);
using information_handler = void (*)(int, siginfo_t*, void*);

// What our handler calls. It can run at any moment, while these change as well.
std::atomic<void (*)()> wake_up{nullptr};
std::atomic<plain_handler> below{nullptr};
std::atomic<int> in_below{0};
std::atomic<plain_handler> first_plain{nullptr};
std::atomic<information_handler> first_information{nullptr};
std::atomic<bool> first_wants_stops{false};

signal_action before;

// Whether this thread is in the handler that was there first: one that was installed over an earlier
// installation of ours may call ours in its turn. Its place is known when the library is loaded: the
// handler may not have it made.
[[gnu::tls_model("initial-exec")]] thread_local bool in_first = false;

static_assert(std::atomic<plain_handler>::is_always_lock_free &&
              std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

bool is_function(plain_handler handler) noexcept
{
    return handler != SIG_DFL && handler != SIG_IGN; // NOLINT: the system's macros cast
}

plain_handler plain_of(const signal_action& action) noexcept
{
    const bool plain = (action.sa_flags & SA_SIGINFO) == 0 && is_function(action.sa_handler);
    return plain ? action.sa_handler : nullptr;
}

void on_child_signal(int signal, siginfo_t* information, void* context)
{
    const int error = errno;
    // Whoever did not want to hear of stops does not, though we do. One that comes instead of an
    // exit's, since the kernel keeps one signal of a kind, is that exit's all the same.
    const bool stop = information->si_code == CLD_STOPPED || information->si_code == CLD_CONTINUED;
    const bool is_wanted = !stop || first_wants_stops.load() || any_dead_child();
    if (const auto wake = wake_up.load())
        wake();
    in_below.fetch_add(1);
    if (const auto call = below.load())
        call(signal);
    in_below.fetch_sub(1);
    if (is_wanted && !in_first)
    {
        in_first = true;
        if (const auto call = first_plain.load())
            call(signal);
        else if (const auto with_information = first_information.load())
            with_information(signal, information, context);
        in_first = false;
    }
    errno = error;
}

bool is_ours(const signal_action& action) noexcept
{
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_child_signal;
}

} // namespace

signal_action child_signal_action() noexcept
{
    signal_action now = {};
    ::sigaction(SIGCHLD, nullptr, &now);
    return now;
}

void set_child_signal_action(const signal_action& action) noexcept
{
    ::sigaction(SIGCHLD, &action, nullptr);
}

child_signal_owner owner_of_child_signal() noexcept
{
    const signal_action now = child_signal_action();
    const bool plain = (now.sa_flags & SA_SIGINFO) == 0;
    if ((now.sa_flags & SA_NOCLDWAIT) != 0 || (plain && now.sa_handler == SIG_IGN)) // NOLINT
        return child_signal_owner::nobody;
    return is_ours(now) ? child_signal_owner::us : child_signal_owner::somebody_else;
}

void install_child_handler(
    const signal_action& first, const signal_action& under, void (*wake)()) noexcept
{
    wake_up = wake;
    // A process that was forked while ours was installed has it already: what it calls first stays.
    if (is_ours(first))
    {
        in_below = 0; // of threads that are not here
    }
    else
    {
        before = first;
        first_wants_stops = (first.sa_flags & SA_NOCLDSTOP) == 0;
        first_plain = plain_of(first);
        first_information = (first.sa_flags & SA_SIGINFO) != 0 ? first.sa_sigaction : nullptr;
    }
    if (!is_ours(under)) // else Asio has its own below already
        below = plain_of(under);
    if (first_plain.load() == below.load())
        first_plain = nullptr; // Asio's was there before: once is enough

    signal_action ours = {};
    ours.sa_sigaction = on_child_signal;
    ours.sa_mask = before.sa_mask;
    // A call of the application's that its handler is to interrupt is interrupted still.
    const bool had_handler = first_plain.load() != nullptr || first_information.load() != nullptr;
    ours.sa_flags = SA_SIGINFO | (had_handler ? before.sa_flags & SA_RESTART : SA_RESTART) |
                    (before.sa_flags & (SA_ONSTACK | SA_NODEFER));
    set_child_signal_action(ours);
}

void (*forget_handler_below() noexcept)(int)
{
    const plain_handler forgotten = below.exchange(nullptr);
    while (in_below.load() != 0)
        std::this_thread::yield();
    return forgotten;
}

void set_handler_below(void (*handler)(int)) noexcept
{
    below = handler;
}

signal_action action_before_ours() noexcept
{
    return before;
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
