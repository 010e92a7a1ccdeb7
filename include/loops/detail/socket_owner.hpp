// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_SOCKET_OWNER_HPP
#define LOOPS_DETAIL_SOCKET_OWNER_HPP

#include <loops/config.hpp>

#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Owns a native socket that is no loop's.
class LOOPS_DECL socket_owner
{
public:
    socket_owner() noexcept = default;
    explicit socket_owner(int socket) noexcept : socket_(socket) {}
    socket_owner(socket_owner&& other) noexcept : socket_(other.release()) {}
    socket_owner& operator=(socket_owner&& other) noexcept
    {
        std::swap(socket_, other.socket_);
        return *this;
    }

    // Closes it.
    ~socket_owner();

    int get() const noexcept { return socket_; }
    int release() noexcept { return std::exchange(socket_, -1); }
    explicit operator bool() const noexcept { return socket_ >= 0; }

private:
    int socket_ = -1;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
