// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "progress.hpp"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <sstream>

#include <sys/ioctl.h>
#include <unistd.h>

namespace task_runner {
namespace {

constexpr const char* clear_line = "\r\033[K";

std::size_t width_of_terminal()
{
    constexpr std::size_t usual = 80;
    ::winsize size{};
    if (::isatty(STDOUT_FILENO) != 1)
        return 0;
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : usual;
}

// So that it cannot write over the line at the bottom, or elsewhere.
std::string printable(std::string_view text)
{
    std::string made(text);
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 && c != '\t';
    };
    std::replace_if(made.begin(), made.end(), is_control, ' ');
    return made;
}

} // namespace

std::string in_seconds(std::chrono::nanoseconds time)
{
    std::ostringstream out;
    out << std::fixed << std::setprecision(2) << std::chrono::duration<double>(time).count()
        << " s";
    return out.str();
}

progress::progress() : width_(width_of_terminal()) {}

progress::~progress()
{
    if (is_live())
        std::cout << clear_line << std::flush;
}

void progress::line(const std::string& text)
{
    if (is_live())
        std::cout << clear_line << text << '\n' << shown_ << std::flush;
    else
        std::cout << text << std::endl;
}

void progress::output(std::size_t task, std::string_view printed)
{
    line('[' + std::to_string(task + 1) + "] " + printable(printed));
}

void progress::ended(std::size_t task, const task_end& end)
{
    line('[' + std::to_string(task + 1) + "] " + end.how + ", " + in_seconds(end.elapsed) + ": " +
         printable(end.task));
}

void progress::show(const counts& now, const std::string& running)
{
    if (!is_live())
        return;
    std::string text = std::to_string(now.ended) + " of " + std::to_string(now.all) + ", " +
                       std::to_string(now.failed) + " failed, " + std::to_string(now.running) +
                       " running: " + printable(running);
    text.resize(now.running == 0 ? 0 : std::min(text.size(), width_ - 1));
    shown_ = text;
    std::cout << clear_line << shown_ << std::flush;
}

} // namespace task_runner
