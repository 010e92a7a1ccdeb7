// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "../children/subject.hpp"
#include "starters.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace starts {
namespace {

// Has a Python process do it, told by a byte each time.
class asyncio_starter : public starter
{
public:
    asyncio_starter(const std::string& program, const char* way)
    {
        int to[2];
        int from[2];
        if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0)
            throw std::system_error(errno, std::generic_category(), "pipe2");
        std::vector<std::string> words{
            "/usr/bin/python3", children::beside("asyncio_starts.py"), program, way};
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, to[0], 0);
        ::posix_spawn_file_actions_adddup2(&actions, from[1], 1);
        errno = ::posix_spawn(
            &pid_, words[0].c_str(), &actions, nullptr, children::pointers(words).data(), environ);
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(to[0]);
        ::close(from[1]);
        to_ = to[1];
        from_ = from[0];
        if (errno != 0)
            throw std::system_error(errno, std::generic_category(), words[0]);
        receive();
    }

    ~asyncio_starter() override
    {
        ::close(to_);
        ::close(from_);
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    void start_and_wait() override
    {
        const char byte = 's';
        if (::write(to_, &byte, 1) != 1)
            throw std::runtime_error("asyncio: its process is gone");
        receive();
    }

private:
    void receive()
    {
        char byte = 0;
        if (::read(from_, &byte, 1) != 1)
            throw std::runtime_error("asyncio: its process is gone");
    }

    pid_t pid_ = 0;
    int to_ = -1;
    int from_ = -1;
};

} // namespace

void add_asyncio(std::vector<kind>& all)
{
    if (::access("/usr/bin/python3", X_OK) != 0)
        return;
    const auto add = [&all](const std::string& name, const char* way) {
        all.push_back({name, [way](const std::string& program) -> std::unique_ptr<starter> {
                           return std::make_unique<asyncio_starter>(program, way);
                       }});
    };
    add("asyncio Pidfd", "PidfdChildWatcher");
    add("asyncio Threaded", "ThreadedChildWatcher");
    add("asyncio MultiLoop", "MultiLoopChildWatcher");
    add("asyncio Safe", "SafeChildWatcher");
    add("asyncio Fast", "FastChildWatcher");
    if (children::has_uvloop())
        add("uvloop", "uvloop");
}

} // namespace starts
