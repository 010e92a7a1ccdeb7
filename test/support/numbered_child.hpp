// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_NUMBERED_CHILD_HPP
#define LOOPS_TEST_SUPPORT_NUMBERED_CHILD_HPP

#include "support/child_processes.hpp"

#include <cstddef>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

// A child with a number that another one had, which lives until it is let go.
class numbered_child
{
public:
    numbered_child(pid_t number, int code)
    {
        // The end to read from stays open here: to let go who was killed raises no SIGPIPE.
        require(::pipe2(ends_, O_CLOEXEC) == 0, "pipe2");
        pid_ = child_with_number(number, [&] {
            ::alarm(120); // where the test ends before it lets it go
            char byte = 0;
            return ::read(ends_[0], &byte, 1) == 1 ? code : 99;
        });
    }
    numbered_child(const numbered_child&) = delete;
    numbered_child& operator=(const numbered_child&) = delete;
    ~numbered_child()
    {
        let_go();
        if (pid_)
            ::waitpid(*pid_, nullptr, 0);
        ::close(ends_[0]);
        ::close(ends_[1]);
    }

    // False where the system does not let us choose.
    explicit operator bool() const noexcept { return pid_.has_value(); }

    // Whether it lives, or is dead and its status still to be taken.
    bool is_takeable() const
    {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(*pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    }

    void let_go() noexcept
    {
        const char byte = 1;
        [[maybe_unused]] const auto written = ::write(ends_[1], &byte, 1);
    }

    void die()
    {
        let_go();
        until_dead(*pid_);
    }

    // Its code; minus the signal that killed it; -1000 where its status is gone.
    int take_code()
    {
        let_go();
        int status = 0;
        if (::waitpid(*std::exchange(pid_, std::nullopt), &status, 0) < 0)
            return -1000;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

private:
    std::optional<pid_t> pid_;
    int ends_[2] = {-1, -1};
};

} // namespace test

#endif
