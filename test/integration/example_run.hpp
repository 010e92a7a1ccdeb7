// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_INTEGRATION_EXAMPLE_RUN_HPP
#define LOOPS_TEST_INTEGRATION_EXAMPLE_RUN_HPP

#include <loops/process/start.hpp>

#include "support/child_processes.hpp"
#include "support/latch.hpp"

#include <chrono>
#include <csignal>
#include <string>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

// A program that runs, what it prints, and how it ends. Ends with the object, whatever happened.
class example_run
{
public:
    // Its standard input is the one that the command has, else /dev/null.
    explicit example_run(loops::command what)
    {
        int ends[2];
        require(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "pipe2");
        out_ = ends[0];
        what.descriptors.insert_or_assign(1, ends[1]);
        what.descriptors.insert_or_assign(2, ends[1]);
        if (what.descriptors[0] == 0)
            what.descriptors[0] = loops::command::null_device;
        what.parent_death_signal = SIGKILL;
        process_ = loops::start_process(what);
        ::close(ends[1]);
    }

    example_run(const example_run&) = delete;
    example_run& operator=(const example_run&) = delete;

    ~example_run()
    {
        if (process_.id() != 0)
        {
            process_.signal(SIGKILL);
            ::waitpid(process_.id(), nullptr, 0);
        }
        ::close(out_);
    }

    pid_t pid() const noexcept { return process_.id(); }
    void signal(int number) const { process_.signal(number); }

    // What it has printed, once that holds the text, or nobody can print any more.
    const std::string& until(const std::string& text)
    {
        eventually([&] {
            pollfd ready{out_, POLLIN, 0};
            ::poll(&ready, 1, 100);
            char data[4096];
            const ssize_t size = ::read(out_, data, sizeof data);
            printed_.append(data, size > 0 ? static_cast<std::size_t>(size) : 0);
            return size == 0 || (!text.empty() && printed_.find(text) != std::string::npos);
        });
        return printed_;
    }

    // Whether it prints nothing for so long.
    bool is_quiet(std::chrono::milliseconds time) const
    {
        pollfd ready{out_, POLLIN, 0};
        return ::poll(&ready, 1, static_cast<int>(time.count())) == 0;
    }

    // All that it prints.
    const std::string& output() { return until({}); }

    // Its exit code; minus a signal's number; -1000 where it does not end.
    int code()
    {
        constexpr int none = -1000;
        int status = 0;
        const pid_t pid = process_.id();
        if (!eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }))
            return none;
        process_.detach();
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

private:
    loops::started_process process_;
    int out_ = -1;
    std::string printed_;
};

} // namespace test

#endif
