// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What a wait for a child takes from the heap, and what it keeps while it is pending, for each
// watcher.
//
// usage: child_waits [waits, 1000 unless given]
//
// Steady state: one wait after the other, each from its start to the end of its handler, after some
// that are not counted. What is asked of the handler's own allocator is counted apart from what is
// asked of the heap, by whatever function. Pending: so many at once, for children that live; the
// bytes are those of the heap, without the handlers' own, as malloc rounds them.

#include <loops/child_watcher.hpp>
#include <loops/watcher/fast_child_watcher.hpp>
#include <loops/watcher/multi_loop_child_watcher.hpp>
#include <loops/watcher/pidfd_child_watcher.hpp>
#include <loops/watcher/safe_child_watcher.hpp>
#include <loops/watcher/threaded_child_watcher.hpp>

#include "measure.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>
#include <vector>

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

namespace asio = boost::asio;

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);
}

namespace {

// Of all threads.
std::atomic<long> takes{0};
std::atomic<long> taken{0}; // bytes, in all
std::atomic<long> kept{0};  // bytes that were not given back

void* count(void* memory)
{
    if (memory)
    {
        const auto size = static_cast<long>(::malloc_usable_size(memory));
        ++takes;
        taken += size;
        kept += size;
    }
    return memory;
}

long handlers_takes = 0;
long handlers_bytes = 0;

// The handler's own: counted by itself.
template <class T>
struct counting_allocator
{
    using value_type = T;

    counting_allocator() = default;
    template <class U>
    counting_allocator(const counting_allocator<U>&) noexcept
    {}

    T* allocate(std::size_t count)
    {
        ++handlers_takes;
        handlers_bytes += static_cast<long>(count * sizeof(T));
        return static_cast<T*>(__libc_malloc(count * sizeof(T)));
    }
    void deallocate(T* memory, std::size_t) noexcept { __libc_free(memory); }

    template <class U>
    bool operator==(const counting_allocator<U>&) const noexcept
    {
        return true;
    }
    template <class U>
    bool operator!=(const counting_allocator<U>&) const noexcept
    {
        return false;
    }
};

pid_t start_child(bool lives)
{
    const pid_t pid = ::fork();
    if (pid != 0)
        return pid;
    while (lives)
        ::pause();
    ::usleep(500);
    ::_exit(0);
}

std::size_t descriptors()
{
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

using maker = std::shared_ptr<loops::child_watcher> (*)();

template <class Watcher>
std::shared_ptr<loops::child_watcher> make()
{
    return std::make_shared<Watcher>();
}

struct figures
{
    double takes;
    double bytes;
    double handlers_takes;
    double handlers_bytes;
    double pending_bytes;
    double pending_descriptors;
};

void wait_for_one(asio::io_context& loop, loops::child_watcher& watcher)
{
    bool told = false;
    watcher.async_wait(start_child(false),
        asio::bind_allocator(counting_allocator<void>(),
            asio::bind_executor(loop.get_executor(),
                [&told](const loops::error_code&, const loops::child_exit&) { told = true; })));
    loop.restart();
    while (!told)
        loop.run_one();
}

figures measure_waits(maker make_watcher, bool attach, std::size_t count)
{
    asio::io_context loop;
    const auto watcher = make_watcher();
    if (attach)
        watcher->attach_loop(loop);
    for (int i = 0; i < 100; ++i)
        wait_for_one(loop, *watcher);
    figures found{};
    const auto each = static_cast<double>(count);
    const long takes_before = takes;
    const long taken_before = taken;
    handlers_takes = 0;
    handlers_bytes = 0;
    for (std::size_t i = 0; i < count; ++i)
        wait_for_one(loop, *watcher);
    found.takes = static_cast<double>(takes - takes_before) / each;
    found.bytes = static_cast<double>(taken - taken_before) / each;
    found.handlers_takes = static_cast<double>(handlers_takes) / each;
    found.handlers_bytes = static_cast<double>(handlers_bytes) / each;

    std::vector<pid_t> pids(count);
    for (pid_t& pid : pids)
        pid = start_child(true);
    std::size_t told = 0;
    const long bytes_before = kept;
    const auto descriptors_before = descriptors();
    for (const pid_t pid : pids)
        watcher->async_wait(
            pid, asio::bind_allocator(counting_allocator<void>(),
                     asio::bind_executor(loop.get_executor(),
                         [&told](const loops::error_code&, const loops::child_exit&) { ++told; })));
    found.pending_bytes = static_cast<double>(kept - bytes_before) / each;
    found.pending_descriptors = static_cast<double>(descriptors() - descriptors_before) / each;
    for (const pid_t pid : pids)
        ::kill(pid, SIGKILL);
    loop.restart();
    while (told < count)
        loop.run_one();
    return found;
}

} // namespace

// Operator new asks malloc or aligned_alloc. Visible, for the shared libraries are to find these.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): glibc's are reserved
#pragma GCC visibility push(default)
extern "C" {

void* malloc(std::size_t size)
{
    return count(__libc_malloc(size));
}

void* aligned_alloc(std::size_t alignment, std::size_t size)
{
    return count(__libc_memalign(alignment, size));
}

void free(void* memory)
{
    if (memory)
        kept -= static_cast<long>(::malloc_usable_size(memory));
    __libc_free(memory);
}
}
#pragma GCC visibility pop
// NOLINTEND(readability-inconsistent-declaration-parameter-name)

int main(int argc, char* argv[])
{
    const std::size_t waits = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000;
    if (waits == 0)
    {
        std::fprintf(stderr, "usage: child_waits [waits]\n");
        return 2;
    }
    measure::raise_file_limit();
    const struct
    {
        const char* name;
        maker make_watcher;
        bool attach;
    } all[] = {
        {"pidfd", make<loops::pidfd_child_watcher>, false},
        {"threaded", make<loops::threaded_child_watcher>, false},
        {"multi_loop", make<loops::multi_loop_child_watcher>, false},
        {"safe", make<loops::safe_child_watcher>, true},
        {"fast", make<loops::fast_child_watcher>, true},
    };
    std::printf("%-12s %21s %21s %22s\n", "", "a wait: the heap", "its handler's allocator",
        "a pending wait");
    std::printf("%-12s %10s %10s %10s %10s %10s %11s\n", "", "calls", "bytes", "calls", "bytes",
        "bytes", "descriptors");
    // A process each: what one leaves in store, the next one would not have to take.
    for (const auto& it : all)
    {
        std::fflush(stdout);
        const pid_t measured = ::fork();
        if (measured == 0)
        {
            const auto found = measure_waits(it.make_watcher, it.attach, waits);
            std::printf("%-12s %10.2f %10.1f %10.2f %10.1f %10.1f %11.2f\n", it.name, found.takes,
                found.bytes, found.handlers_takes, found.handlers_bytes, found.pending_bytes,
                found.pending_descriptors);
            std::fflush(stdout);
            const auto counted = [&](const char* what, const char* unit, double number) {
                measure::write({what, it.name, what, unit, 0, {number, number, number}, {}});
            };
            counted("calls of the heap for a wait", "calls", found.takes);
            counted("bytes of the handler's allocator for a wait", "bytes", found.handlers_bytes);
            counted("bytes that a pending wait keeps", "bytes", found.pending_bytes);
            counted("descriptors of a pending wait", "fds", found.pending_descriptors);
            ::_exit(0);
        }
        ::waitpid(measured, nullptr, 0);
    }
}
