// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "worker_process.hpp"

#include <csignal>
#include <utility>

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace prefork {
namespace {

// Where a worker finds what it inherits.
constexpr int inherited_listening = 3;
constexpr int inherited_page = 4;

// A copy above those, so that putting the one in place does not overwrite the other.
descriptor copy_above(int fd)
{
    descriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, 10));
    if (copy.get() < 0)
        throw_errno("keeping a descriptor for the workers");
    return copy;
}

std::vector<std::string> make_arguments(const options& from)
{
    return {"prefork_server", "--policy=" + from.policy, "--watcher=" + from.watcher,
        "--grace=" + std::to_string(from.grace.count()), "--master=" + std::to_string(::getpid())};
}

void check(int result, const char* attempted)
{
    if (result != 0)
        throw_errno(attempted, result);
}

// Where a worker's start differs from its master's state: it begins with every signal as the
// system has it, and in a process group of its own, so that Ctrl-C reaches the master only, which
// then asks its workers to stop.
class spawn_attributes
{
public:
    spawn_attributes()
    {
        check(::posix_spawnattr_init(&it_), "preparing a worker's start");
        sigset_t none;
        sigset_t all;
        ::sigemptyset(&none);
        ::sigfillset(&all);
        ::sigdelset(&all, SIGKILL);
        ::sigdelset(&all, SIGSTOP);
        ::posix_spawnattr_setsigmask(&it_, &none);
        ::posix_spawnattr_setsigdefault(&it_, &all);
        ::posix_spawnattr_setpgroup(&it_, 0);
        ::posix_spawnattr_setflags(
            &it_, static_cast<short>(
                      POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP));
    }

    spawn_attributes(const spawn_attributes&) = delete;
    spawn_attributes& operator=(const spawn_attributes&) = delete;
    ~spawn_attributes() { ::posix_spawnattr_destroy(&it_); }

    const posix_spawnattr_t* get() const noexcept { return &it_; }

private:
    posix_spawnattr_t it_;
};

class spawn_actions
{
public:
    spawn_actions() { check(::posix_spawn_file_actions_init(&it_), "preparing a worker's start"); }
    spawn_actions(const spawn_actions&) = delete;
    spawn_actions& operator=(const spawn_actions&) = delete;
    ~spawn_actions() { ::posix_spawn_file_actions_destroy(&it_); }

    void copy(int from, int to)
    {
        check(::posix_spawn_file_actions_adddup2(&it_, from, to), "preparing a worker's start");
    }

    const posix_spawn_file_actions_t* get() const noexcept { return &it_; }

private:
    posix_spawn_file_actions_t it_;
};

} // namespace

// By number: <sys/pidfd.h> of glibc 2.36 cannot be used from C++, and older ones have none.
worker_process::worker_process(int pid)
    : pid_(pid), pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)))
{}

void worker_process::signal(int number) const noexcept
{
    if (pidfd_.get() >= 0)
        ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0U);
    else if (pid_ > 0)
        ::kill(pid_, number); // without pidfds: as good as it gets
}

worker_starter::worker_starter(const options& from, int listening, int page)
    : arguments_(make_arguments(from)), listening_(copy_above(listening)), page_(copy_above(page))
{}

worker_process worker_starter::start(unsigned index) const
{
    std::vector<std::string> arguments = arguments_;
    arguments.push_back("--worker=" + std::to_string(index));
    std::vector<char*> pointers;
    for (std::string& each : arguments)
        pointers.push_back(each.data());
    pointers.push_back(nullptr);

    spawn_actions actions;
    actions.copy(listening_.get(), inherited_listening);
    actions.copy(page_.get(), inherited_page);
    const spawn_attributes attributes;
    ::pid_t pid = 0;
    check(::posix_spawn(
              &pid, "/proc/self/exe", actions.get(), attributes.get(), pointers.data(), environ),
        "starting a worker");
    return worker_process(pid);
}

inheritance inherit(const worker_role& role)
{
    int listens = 0;
    ::socklen_t size = sizeof listens;
    if (::getsockopt(inherited_listening, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 ||
        listens == 0)
        throw usage_error("option '--worker' is the master's to give");

    // Told from now on; and it may have died before.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        throw_errno("asking to be killed with the master");
    if (::getppid() != role.master)
        ::_exit(1);

    ::prctl(PR_SET_NAME, "prefork_worker"); // it was started as "exe"
    for (const int fd : {inherited_listening, inherited_page})
        ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    return {descriptor(inherited_listening), descriptor(inherited_page)};
}

} // namespace prefork
