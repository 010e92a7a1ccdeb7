// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_PLATFORM_POSIX_STREAM_ENDS_HPP
#define LOOPS_SRC_PLATFORM_POSIX_STREAM_ENDS_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include <cstddef>

namespace loops {
inline namespace LOOPS_ABI {
namespace platform {

/// The two ends of a pipe, close-on-exec; closed with the object.
class pipe_ends
{
public:
    /// An error has it without ends. It names the call, as those of a start do.
    explicit pipe_ends(error_code& ec) noexcept;
    explicit pipe_ends(int read_end) noexcept : read_(read_end) {}
    pipe_ends() = default;
    pipe_ends(pipe_ends&& other) noexcept;
    pipe_ends& operator=(pipe_ends&& other) noexcept;
    ~pipe_ends();

    int read_end() const noexcept { return read_; }
    int write_end() const noexcept { return write_; }
    int release_read_end() noexcept;
    int release_write_end() noexcept;

private:
    int read_ = -1;
    int write_ = -1;
};

/// Reads what there is, without waiting. 0, and no error: it has ended; `operation_would_block`: there is nothing
/// now.
std::size_t read_some(int fd, char* data, std::size_t size, error_code& ec) noexcept;

/// Writes some of that to a pipe, without waiting, and without a SIGPIPE where nobody reads: that is
/// `broken_pipe`. 0, and no error: there is no room.
std::size_t write_some(int fd, const char* data, std::size_t size, error_code& ec) noexcept;

} // namespace platform
} // namespace LOOPS_ABI
} // namespace loops

#endif
