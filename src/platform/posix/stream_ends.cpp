// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "platform/posix/stream_ends.hpp"

#include "platform/fault.hpp"
#include "platform/last_error.hpp"
#include "platform/posix/descriptor.hpp"
#include "platform/spawn_error.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {
namespace {

// Has SIGPIPE on this thread take no effect while it lives: one that comes is taken back, unless one was
// pending before.
class no_broken_pipe_signal
{
public:
    no_broken_pipe_signal() noexcept
    {
        sigset_t pending;
        ::sigemptyset(&pipe_);
        ::sigaddset(&pipe_, SIGPIPE);
        ::sigpending(&pending);
        was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
        if (!was_pending_)
            ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    no_broken_pipe_signal(const no_broken_pipe_signal&) = delete;
    no_broken_pipe_signal& operator=(const no_broken_pipe_signal&) = delete;
    ~no_broken_pipe_signal()
    {
        if (was_pending_) // then it is blocked, too
            return;
        const timespec now{};
        ::sigtimedwait(&pipe_, nullptr, &now);
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }

private:
    sigset_t pipe_{};
    sigset_t before_{};
    bool was_pending_ = false;
};

} // namespace

pipe_ends::pipe_ends(error_code& ec) noexcept
{
    int ends[2];
    ec.clear();
    if (injected_fault("pipe2") || ::pipe2(ends, O_CLOEXEC) != 0)
    {
        ec = make_spawn_error(spawn_call::pipe, errno);
        return;
    }
    read_ = ends[0];
    write_ = ends[1];
}

pipe_ends::pipe_ends(pipe_ends&& other) noexcept
    : read_(other.release_read_end()), write_(other.release_write_end())
{}

pipe_ends& pipe_ends::operator=(pipe_ends&& other) noexcept
{
    std::swap(read_, other.read_);
    std::swap(write_, other.write_);
    return *this;
}

pipe_ends::~pipe_ends()
{
    close_descriptor(read_);
    close_descriptor(write_);
}

int pipe_ends::release_read_end() noexcept
{
    return std::exchange(read_, -1);
}

int pipe_ends::release_write_end() noexcept
{
    return std::exchange(write_, -1);
}

std::size_t read_some(int fd, char* data, std::size_t size, error_code& ec) noexcept
{
    ec.clear();
    ssize_t got = 0;
    do
        got = ::read(fd, data, size);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        return static_cast<std::size_t>(got);
    ec = last_error();
    return 0;
}

std::size_t write_some(int fd, const char* data, std::size_t size, error_code& ec) noexcept
{
    const no_broken_pipe_signal none;
    ec.clear();
    const ssize_t written = ::write(fd, data, size);
    if (written >= 0)
        return static_cast<std::size_t>(written);
    if (errno != EAGAIN && errno != EINTR)
        ec = last_error();
    return 0;
}

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops
