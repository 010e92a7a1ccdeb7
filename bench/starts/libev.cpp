// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "starters.hpp"

#include <cerrno>
#include <system_error>

#include <ev.h>
#include <spawn.h>
#include <unistd.h>

namespace starts {
namespace {

// It watches children, but starts none.
class libev_starter : public starter
{
public:
    explicit libev_starter(std::string program) : program_(std::move(program)) {}

    void start_and_wait() override
    {
        char* arguments[] = {const_cast<char*>(program_.c_str()), nullptr};
        pid_t pid = 0;
        errno = ::posix_spawn(&pid, program_.c_str(), nullptr, nullptr, arguments, environ);
        if (errno != 0)
            throw std::system_error(errno, std::generic_category(), "posix_spawn");
        ev_child child;
        ev_child_init(
            &child, [](struct ev_loop* loop, ev_child* it, int) { ev_child_stop(loop, it); }, pid,
            0);
        ev_child_start(loop_, &child);
        ev_run(loop_, 0);
    }

private:
    const std::string program_;
    struct ev_loop* const loop_ = ev_default_loop(0);
};

} // namespace

void add_libev(std::vector<kind>& all)
{
    all.push_back(kind_of<libev_starter>("posix_spawn and libev"));
}

} // namespace starts
