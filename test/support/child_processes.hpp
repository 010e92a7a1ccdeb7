// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_CHILD_PROCESSES_HPP
#define LOOPS_TEST_SUPPORT_CHILD_PROCESSES_HPP

#include "support/skipped.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

// Not by Boost.Test, which belongs to the main thread.
inline void require(bool holds, const char* call)
{
    if (!holds)
        throw std::system_error(errno, std::generic_category(), call);
}

// Starts a child that runs `body`, which may do no more than a signal handler may, and leaves by
// _exit with what it returns.
template <class Body>
pid_t start_child(Body body)
{
    const pid_t pid = ::fork();
    if (pid == 0)
        ::_exit(body());
    require(pid > 0, "fork");
    return pid;
}

inline pid_t child_that_exits(int code)
{
    return start_child([code] { return code; });
}

inline pid_t child_that_dies_of(int signal)
{
    return start_child([signal] {
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_CORE, &none);
        ::signal(signal, SIG_DFL);
        ::kill(::getpid(), signal);
        for (;;)
            ::pause();
        return 0;
    });
}

// A child without a signal for its end, as clone() can make it.
inline pid_t child_without_signal(int code)
{
    const pid_t pid = static_cast<pid_t>(::syscall(SYS_clone, 0, nullptr, nullptr, nullptr, 0));
    if (pid == 0)
        ::_exit(code);
    require(pid > 0, "clone");
    return pid;
}

// The number that the system gave last, put back when this goes: processes of others, as tests that
// run at the same time, would get numbers that have just been theirs.
class last_number
{
public:
    last_number()
        : file_(::open("/proc/sys/kernel/ns_last_pid", O_RDWR | O_CLOEXEC)),
          size_(file_ < 0 ? 0 : ::read(file_, text_, sizeof text_))
    {}
    last_number(const last_number&) = delete;
    last_number& operator=(const last_number&) = delete;
    ~last_number()
    {
        if (size_ > 0)
        {
            [[maybe_unused]] const auto written =
                ::pwrite(file_, text_, static_cast<std::size_t>(size_), 0);
        }
        if (file_ >= 0)
            ::close(file_);
    }

private:
    char text_[32] = {};
    int file_;
    ssize_t size_;
};

// A child with a given number, which is free; nothing where the system does not let us choose.
template <class Body>
std::optional<pid_t> child_with_number(pid_t number, Body body)
{
    const int last = ::open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    if (last < 0)
        return std::nullopt;
    const last_number others; // go on where they were
    const std::string before = std::to_string(number - 1);
    std::optional<pid_t> made;
    for (int i = 0; i < 100 && !made; ++i) // others start processes, too
    {
        if (::pwrite(last, before.data(), before.size(), 0) < 0)
            break;
        const pid_t pid = start_child(body);
        if (pid == number)
            made = pid;
        else
        {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
    }
    ::close(last);
    return made;
}

// Waits until a child is dead, and leaves it to be reaped.
inline void until_dead(pid_t pid)
{
    siginfo_t info{};
    // A watcher that reaps everyone may be faster.
    require(
        ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0 || errno == ECHILD,
        "waitid");
}

// A child that lives until it is let go, or killed.
class gated_child
{
public:
    explicit gated_child(int code = 0)
    {
        int ends[2];
        require(::pipe(ends) == 0, "pipe");
        pid_ = start_child([&] {
            ::alarm(120); // where the test ends before it lets it go
            // Not the end of file: children that were forked meanwhile hold the other end.
            char byte = 0;
            return ::read(ends[0], &byte, 1) == 1 ? code : 99;
        });
        ::close(ends[0]);
        gate_ = ends[1];
    }

    gated_child(gated_child&& other) noexcept
        : pid_(other.pid_), gate_(std::exchange(other.gate_, -1))
    {}
    gated_child& operator=(gated_child&&) = delete;
    ~gated_child() { let_go(); }

    pid_t pid() const noexcept { return pid_; }

    void let_go() noexcept
    {
        if (gate_ < 0)
            return;
        const char byte = 1;
        [[maybe_unused]] const auto written = ::write(gate_, &byte, 1);
        ::close(std::exchange(gate_, -1));
    }

    // Lets it go, waits for it and takes its status, as somebody else in the process might; -1 where
    // a watcher that reaps everyone was faster.
    int reap()
    {
        let_go();
        int status = 0;
        return ::waitpid(pid_, &status, 0) == pid_ ? WEXITSTATUS(status) : -1;
    }

private:
    pid_t pid_ = 0;
    int gate_ = -1;
};

// Checks, when it ends, that the test left the process as it was: no child, no descriptor, no
// disposition or mask changed.
class child_ledger
{
public:
    child_ledger() : descriptors_(count_descriptors())
    {
        ::sigaction(SIGCHLD, nullptr, &on_child_);
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
    }

    child_ledger(const child_ledger&) = delete;
    child_ledger& operator=(const child_ledger&) = delete;

    ~child_ledger()
    {
        siginfo_t info{};
        const int found = ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL);
        BOOST_TEST((found == -1 && errno == ECHILD),
            "a child is left: " << (found == 0 ? info.si_pid : -1));
        BOOST_TEST(count_descriptors() == descriptors_);
        struct sigaction on_child = {};
        ::sigaction(SIGCHLD, nullptr, &on_child);
        BOOST_TEST((on_child.sa_handler == on_child_.sa_handler));
        BOOST_TEST((on_child.sa_flags & flags) == (on_child_.sa_flags & flags));
        sigset_t mask;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        for (int signal = 1; signal < SIGRTMAX; ++signal)
            BOOST_TEST(::sigismember(&mask, signal) == ::sigismember(&mask_, signal));
    }

    static std::ptrdiff_t count_descriptors()
    {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
    }

private:
    static constexpr int flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT | SA_ONSTACK;

    std::ptrdiff_t descriptors_;
    struct sigaction on_child_ = {};
    sigset_t mask_;
};

} // namespace test

#endif
