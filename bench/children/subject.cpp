// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "subject.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <linux/sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace children {
namespace {

std::atomic<std::size_t> signals{0};

void count_signal(int)
{
    signals.fetch_add(1, std::memory_order_relaxed);
}

int wait_blocking(pid_t pid)
{
    for (;;)
    {
        int status = 0;
        if (::waitpid(pid, &status, 0) == pid)
            return status;
        if (errno != EINTR)
            return -1;
    }
}

} // namespace

subject::subject(const setup& before)
{
    if (!before.counts_signals)
        return;
    struct sigaction action = {};
    action.sa_handler = count_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGCHLD, &action, nullptr);
}

subject::~subject()
{
    if (reaper_.joinable())
        reaper_.detach(); // it may wait for a child that does not end
}

pid_t subject::process() const
{
    return ::getpid();
}

pid_t subject::start_raw(const arguments& args)
{
    auto words = command(args);
    pid_t pid = 0;
    const int error =
        ::posix_spawn(&pid, words[0].c_str(), nullptr, nullptr, pointers(words).data(), environ);
    if (error != 0)
        throw refused(std::string("posix_spawn: ") + std::strerror(error));
    return pid;
}

void subject::start_as(pid_t pid, const arguments& args)
{
    auto words = command(args);
    const auto argv = pointers(words);
    clone_args how{};
    how.exit_signal = SIGCHLD;
    how.set_tid = reinterpret_cast<std::uint64_t>(&pid);
    how.set_tid_size = 1;
    const long made = ::syscall(SYS_clone3, &how, sizeof how);
    if (made == 0)
    {
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    if (made != pid)
        throw not_offered();
}

int subject::reap(pid_t pid)
{
    return wait_blocking(pid);
}

void subject::reap_by_thread(pid_t pid)
{
    reaper_ = std::thread([this, pid] { reaped_ = wait_blocking(pid); });
}

int subject::reaped()
{
    reaper_.join();
    return reaped_;
}

void subject::ignore_signal()
{
    ::signal(SIGCHLD, SIG_IGN);
}

std::size_t subject::signals_counted() const
{
    return signals.load();
}

bool subject::counter_stands() const
{
    struct sigaction action = {};
    ::sigaction(SIGCHLD, nullptr, &action);
    return action.sa_handler == count_signal;
}

void subject::use_up_descriptors(int left)
{
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = 256;
    ::setrlimit(RLIMIT_NOFILE, &files);
    for (int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC); fd >= 0;
         fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC))
        descriptors_.push_back(fd);
    for (; left > 0; --left)
    {
        ::close(descriptors_.back());
        descriptors_.pop_back();
    }
}

void subject::release_descriptors()
{
    for (const int fd : descriptors_)
        ::close(fd);
    descriptors_.clear();
}

std::shared_ptr<int> subject::new_wait(then action)
{
    auto ticket = std::make_shared<int>(static_cast<int>(tickets_.size()));
    tickets_.push_back(ticket);
    actions_.push_back(action);
    return ticket;
}

void subject::tell(int wait, int status, const std::string& problem)
{
    reports_.push_back({wait, status, problem, monotonic_nanoseconds()});
    const then action = std::exchange(actions_[index(wait)], then::nothing);
    if (action == then::throws)
        throw std::runtime_error("thrown by a handler");
    if (action == then::drops)
        drop(wait);
    if (action == then::starts_long_one)
    {
        drop(wait);
        long_one_ = start({"sleep", "1000", "0"});
        watch(long_one_);
    }
}

int subject::take_begun(pid_t pid, then action)
{
    const auto at = begun_.find(pid);
    if (at == begun_.end())
        throw not_offered();
    const int wait = at->second;
    begun_.erase(at);
    set_action(wait, action);
    return wait;
}

std::vector<kind> kinds()
{
    std::vector<kind> all;
    add_loops(all);
    add_boost_v2(all);
    add_boost_v1(all);
#ifdef LOOPS_BENCH_HAS_LIBUV
    add_libuv(all);
#endif
#ifdef LOOPS_BENCH_HAS_GLIB
    add_glib(all);
#endif
#ifdef LOOPS_BENCH_HAS_LIBEV
    add_libev(all);
#endif
    add_asyncio(all);
#ifdef LOOPS_BENCH_HAS_TOKIO
    add_tokio(all);
#endif
    return all;
}

std::string beside(const std::string& file)
{
    std::string path(4096, '\0');
    const ssize_t size = ::readlink("/proc/self/exe", &path[0], path.size());
    path.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return path.substr(0, path.rfind('/') + 1) + file;
}

std::vector<std::string> command(const arguments& args)
{
    static const std::string program = beside("child_helper");
    std::vector<std::string> words{program};
    words.insert(words.end(), args.begin(), args.end());
    return words;
}

std::vector<char*> pointers(std::vector<std::string>& words)
{
    std::vector<char*> all;
    for (std::string& word : words)
        all.push_back(&word[0]);
    all.push_back(nullptr);
    return all;
}

double monotonic_nanoseconds()
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double cpu_nanoseconds(pid_t process)
{
    clockid_t clock{};
    timespec now{};
    if (::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &now) != 0)
        return 0;
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

} // namespace children
