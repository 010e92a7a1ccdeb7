// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef TASK_RUNNER_PROGRESS_HPP
#define TASK_RUNNER_PROGRESS_HPP

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace task_runner {

/// What became of a task.
struct task_end
{
    std::string task;
    /// In words, as "ok", "exit 2", "signal 9", "timeout".
    std::string how;
    bool succeeded = false;
    std::chrono::nanoseconds elapsed{};
};

/// How far all tasks are.
struct counts
{
    std::size_t all = 0;
    std::size_t running = 0;
    std::size_t ended = 0;
    std::size_t failed = 0;
};

/// Prints what goes on: on a terminal with a line at the bottom that is kept up to date.
class progress
{
public:
    progress();
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;
    ~progress();

    /// Whether there is a line that show() keeps.
    bool is_live() const noexcept { return width_ > 0; }

    /// A line that a task has printed.
    void output(std::size_t task, std::string_view printed);

    /// A task has ended.
    void ended(std::size_t task, const task_end& end);

    /// How far it is, and what runs. Only on a terminal.
    void show(const counts& now, const std::string& running);

private:
    void line(const std::string& text);

    std::size_t width_ = 0; // of the terminal; 0: there is none
    std::string shown_;
};

/// Seconds, with two digits after the point.
std::string in_seconds(std::chrono::nanoseconds time);

} // namespace task_runner

#endif
