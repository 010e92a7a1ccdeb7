// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_DISPOSITION_HPP
#define LOOPS_TEST_SUPPORT_DISPOSITION_HPP

#include <csignal>

namespace test {

using signal_action = struct sigaction;

inline signal_action child_signal_now()
{
    signal_action now = {};
    ::sigaction(SIGCHLD, nullptr, &now);
    return now;
}

inline bool is_same(const signal_action& one, const signal_action& other)
{
    constexpr int flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT | SA_ONSTACK;
    if (one.sa_handler != other.sa_handler || (one.sa_flags & flags) != (other.sa_flags & flags))
        return false;
    for (int signal = 1; signal < SIGRTMAX; ++signal)
        if (::sigismember(&one.sa_mask, signal) != ::sigismember(&other.sa_mask, signal))
            return false;
    return true;
}

// What the application does about SIGCHLD while this lives.
class disposition
{
public:
    explicit disposition(const signal_action& action) { ::sigaction(SIGCHLD, &action, &before_); }
    explicit disposition(void (*handler)(int), int flags = SA_RESTART)
        : disposition(action(handler, flags))
    {}
    explicit disposition(void (*handler)(int, siginfo_t*, void*), int flags = SA_RESTART)
        : disposition(action(handler, flags))
    {}
    disposition(const disposition&) = delete;
    disposition& operator=(const disposition&) = delete;
    ~disposition() { ::sigaction(SIGCHLD, &before_, nullptr); }

    const signal_action& before() const { return before_; }

    static signal_action action(void (*handler)(int), int flags)
    {
        signal_action made = {};
        made.sa_handler = handler;
        made.sa_flags = flags;
        return made;
    }
    static signal_action action(void (*handler)(int, siginfo_t*, void*), int flags)
    {
        signal_action made = {};
        made.sa_sigaction = handler;
        made.sa_flags = flags | SA_SIGINFO;
        return made;
    }

private:
    signal_action before_ = {};
};

} // namespace test

#endif
