// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef PREFORK_SERVER_DESCRIPTOR_HPP
#define PREFORK_SERVER_DESCRIPTOR_HPP

#include <boost/system/system_error.hpp>

#include <cerrno>
#include <string>
#include <utility>

#include <unistd.h>

namespace prefork {

/// Throws what `errno`, or a number like it, says.
[[noreturn]] inline void throw_errno(const std::string& attempted, int number = errno)
{
    throw boost::system::system_error(number, boost::system::system_category(), attempted);
}

/// Owns a file descriptor.
class descriptor
{
public:
    descriptor() noexcept = default;
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(other.release()) {}

    descriptor& operator=(descriptor&& other) noexcept
    {
        reset(other.release());
        return *this;
    }

    ~descriptor() { reset(); }

    int get() const noexcept { return fd_; }
    int release() noexcept { return std::exchange(fd_, -1); }

    void reset(int fd = -1) noexcept
    {
        const int old = std::exchange(fd_, fd);
        if (old >= 0)
            ::close(old);
    }

private:
    int fd_ = -1;
};

} // namespace prefork

#endif
