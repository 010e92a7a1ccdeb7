// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "../children/subject.hpp"
#include "pair.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace trips {
namespace {

// Two loops of a Python process, which measures itself.
class asyncio_pair final : public pair
{
public:
    explicit asyncio_pair(const char* library)
    {
        int to[2];
        int from[2];
        if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0)
            throw std::system_error(errno, std::generic_category(), "pipe2");
        const auto places = two_places();
        std::vector<std::string> words{"/usr/bin/python3", children::beside("asyncio_trips.py"),
            library, std::to_string(places[0]), std::to_string(places[1])};
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, to[0], 0);
        ::posix_spawn_file_actions_adddup2(&actions, from[1], 1);
        const int error = ::posix_spawn(
            &pid_, words[0].c_str(), &actions, nullptr, children::pointers(words).data(), environ);
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(to[0]);
        ::close(from[1]);
        to_ = ::fdopen(to[1], "w");
        from_ = ::fdopen(from[0], "r");
        if (error != 0)
            throw std::system_error(error, std::generic_category(), words[0]);
    }

    ~asyncio_pair() override
    {
        std::fclose(to_);
        std::fclose(from_);
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    times trips(std::size_t count) override
    {
        times taken;
        std::fprintf(to_, "%zu\n", count);
        std::fflush(to_);
        if (std::fscanf(from_, "%lf %lf", &taken.wall, &taken.cpu) != 2)
            throw std::runtime_error("asyncio: its process is gone");
        return taken;
    }

    void poke() override
    {
        std::fprintf(to_, "poke\n");
        std::fflush(to_);
    }

    double cpu() const override { return children::cpu_nanoseconds(pid_); }

private:
    pid_t pid_ = 0;
    std::FILE* to_ = nullptr;
    std::FILE* from_ = nullptr;
};

} // namespace

void add_asyncio(std::vector<setting>& all)
{
    if (::access("/usr/bin/python3", X_OK) != 0)
        return;
    all.push_back({"asyncio", [] { return std::make_unique<asyncio_pair>("asyncio"); }});
    if (children::has_uvloop())
        all.push_back({"uvloop", [] { return std::make_unique<asyncio_pair>("uvloop"); }});
}

} // namespace trips
