// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "player.hpp"

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>

#include <poll.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

namespace exits {
namespace {

void* number(long value)
{
    return reinterpret_cast<void*>(value);
}

// Lets a stopped thread go on to its next system call. Gives whether it had stopped at the entry of
// one. A signal that it is to get is handed on.
bool go_on(pid_t thread, int status)
{
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    bool entered = false;
    long deliver = 0;
    if (signal == (SIGTRAP | 0x80))
    {
        __ptrace_syscall_info info{};
        ::ptrace(PTRACE_GET_SYSCALL_INFO, thread, number(sizeof info), &info);
        entered = info.op == PTRACE_SYSCALL_INFO_ENTRY;
    }
    else if (event == 0)
        deliver = signal;
    ::ptrace(PTRACE_SYSCALL, thread, nullptr, number(deliver));
    return entered;
}

} // namespace

// Other threads may wait for children of theirs, but this process has one thread, and of its own
// children only the player's process is not traced: it is told apart by its number.
std::size_t count_calls(player& it, std::size_t exits)
{
    const auto pids = it.take(exits);
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE;
    const std::string tasks = "/proc/" + std::to_string(it.process()) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks))
    {
        const pid_t thread = std::stoi(task.path().filename().string());
        if (::ptrace(PTRACE_SEIZE, thread, nullptr, number(options)) != 0)
            throw children::refused("ptrace");
        ::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
    }
    const pid_t killer = kill_slowly(pids, 5);
    it.run(exits);
    std::size_t calls = 0;
    for (;;)
    {
        int status = 0;
        const pid_t thread = ::waitpid(-1, &status, __WALL | WNOHANG);
        if (thread > 0 && thread != killer && WIFSTOPPED(status))
            calls += go_on(thread, status) ? 1 : 0;
        if (thread > 0)
            continue;
        pollfd wanted{it.channel(), POLLIN, 0};
        if (::poll(&wanted, 1, 0) > 0)
            break;
    }
    it.result();
    return calls;
}

} // namespace exits
