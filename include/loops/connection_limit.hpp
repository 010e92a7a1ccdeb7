// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_CONNECTION_LIMIT_HPP
#define LOOPS_CONNECTION_LIMIT_HPP

#include <loops/config.hpp>

#include <cstddef>
#include <memory>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
class admission;
} // namespace detail

/// A bound on connections, for one acceptor or for several that share it.
///
/// At the bound, accepting pauses: no accept call is made, and the kernel's backlog holds who
/// comes. It goes on as soon as a connection ends, that is, when the lease that came with it is
/// released. A connection counts from before it is accepted.
///
/// Copies share one bound, so that a server's ports do when each gets a copy.
///
/// @par Thread safety
/// Distinct objects, copies of each other included: safe. Shared objects: unsafe.
class LOOPS_DECL connection_limit
{
public:
    /// Makes a limit that bounds nothing, and counts.
    connection_limit();

    /// Makes a limit of `most` connections at a time.
    /// @throws system_error with `invalid_argument` for 0.
    explicit connection_limit(std::size_t most);

    /// How many connections there may be at a time.
    std::size_t most() const noexcept;

    /// How many there are.
    std::size_t in_use() const noexcept;

    /// @cond
    const std::shared_ptr<detail::admission>& state() const noexcept { return state_; }
    /// @endcond

private:
    std::shared_ptr<detail::admission> state_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
