// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// The child of the programs here: small, and linked statically, so that many of them are cheap to
// start and to keep.
//
//   exit CODE                  ends at once
//   sleep MS CODE              ends after some milliseconds
//   signal NUMBER              is killed by a signal
//   pause                      ends when it is killed, or the thread that started it ends
//   stamp FILE SLOT MS         after some milliseconds writes the time into a file, and ends
//   trace PID MS               traces a process for some milliseconds; says so by a byte on stdout

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

namespace {

void sleep_for(long milliseconds)
{
    timespec time{milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (::nanosleep(&time, &time) != 0)
        continue;
}

int die_of(int signal)
{
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::signal(signal, SIG_DFL);
    ::raise(signal);
    return 1;
}

int stamp(const char* file, std::size_t slot, long milliseconds)
{
    const int fd = ::open(file, O_RDWR);
    void* const page = ::mmap(
        nullptr, (slot + 1) * sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return 1;
    auto* const slots = static_cast<volatile std::int64_t*>(page);
    slots[slot] = 0; // the page is there before the time is taken
    sleep_for(milliseconds);
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    slots[slot] = now.tv_sec * std::int64_t(1000000000) + now.tv_nsec;
    ::_exit(0);
}

int trace(pid_t pid, long milliseconds)
{
    const bool traces = ::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) == 0;
    const char told = traces ? 'y' : 'n';
    if (::write(1, &told, 1) != 1 || !traces)
        return 1;
    sleep_for(milliseconds);
    return 0;
}

} // namespace

int main(int argc, char* argv[])
{
    const auto is = [&](const char* word, int count) {
        return argc == count + 2 && std::strcmp(argv[1], word) == 0;
    };
    if (is("exit", 1))
        ::_exit(std::atoi(argv[2]));
    if (is("sleep", 2))
    {
        sleep_for(std::atol(argv[2]));
        ::_exit(std::atoi(argv[3]));
    }
    if (is("signal", 1))
        return die_of(std::atoi(argv[2]));
    if (is("pause", 0))
    {
        // There may be thousands of them when a program of ours is interrupted.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            ::pause();
    }
    if (is("stamp", 3))
        return stamp(argv[2], static_cast<std::size_t>(std::atol(argv[3])), std::atol(argv[4]));
    if (is("trace", 2))
        return trace(std::atoi(argv[2]), std::atol(argv[3]));
    return 2;
}
