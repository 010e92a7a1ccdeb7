// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "worker_start.hpp"

#include <csignal>
#include <filesystem>
#include <initializer_list>
#include <utility>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace prefork {
namespace {

// Where a worker finds what it inherits.
constexpr int inherited_listening = 3;
constexpr int inherited_page = 4;

std::vector<std::string> make_arguments(const options& from)
{
    return {"--policy=" + from.policy, "--watcher=" + from.watcher,
        "--grace=" + std::to_string(from.grace.count()), "--master=" + std::to_string(::getpid())};
}

} // namespace

worker_commands::worker_commands(const options& from, int listening, int page)
    : program_(std::filesystem::read_symlink("/proc/self/exe")),
      arguments_(make_arguments(from)),
      listening_(listening),
      page_(page)
{}

loops::command worker_commands::make(unsigned index, unsigned slot) const
{
    loops::command made(program_, arguments_);
    made.arguments.push_back("--worker=" + std::to_string(index));
    made.arguments.push_back("--slot=" + std::to_string(slot));
    made.descriptors[inherited_listening] = listening_;
    made.descriptors[inherited_page] = page_;
    made.parent_death_signal = SIGKILL;
    return made;
}

inheritance inherit(const worker_role& role)
{
    int listens = 0;
    ::socklen_t size = sizeof listens;
    if (::getsockopt(inherited_listening, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 ||
        listens == 0)
        throw usage_error("option '--worker' is the master's to give");
    if (::getppid() != role.master) // it died before this process could be told of it
        ::_exit(1);

    ::prctl(PR_SET_NAME, "prefork_worker");
    for (const int fd : {inherited_listening, inherited_page, ready_descriptor})
        ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    return {
        descriptor(inherited_listening), descriptor(inherited_page), descriptor(ready_descriptor)};
}

} // namespace prefork
