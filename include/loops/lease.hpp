// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_LEASE_HPP
#define LOOPS_LEASE_HPP

#include <loops/config.hpp>

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <memory>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
class loop_record;
} // namespace detail

/// A selection that counts: as long as it lives, its weight is part of its loop's load.
///
/// Choosers that go by load see leases. A session keeps its lease as a member, and the load falls
/// when the session goes, on whatever path.
///
/// @par Thread safety
/// Distinct objects: safe. Shared objects: unsafe.
class LOOPS_DECL lease
{
public:
    /// Makes a lease of nothing.
    lease() noexcept = default;

    /// Takes a lease on `loop`. See also `loops::acquire()`, which lets the policy choose the loop.
    ///
    /// @param weight What it counts for, against other leases of the same policy; at least 0.
    /// @throws system_error with `error::loop_closed`, or `invalid_argument` for the weight.
    explicit lease(asio::io_context& loop, std::int64_t weight = 1);

    /// Takes the other's lease, which holds none then.
    lease(lease&& other) noexcept;
    /// The same; what this one held is released.
    lease& operator=(lease&& other) noexcept;

    /// Releases.
    ~lease();

    /// Ends the lease's part in the load. Twice is nothing.
    void release() noexcept;

    /// Keeps `what` until the lease is released, on whatever path and thread: a place among a bounded
    /// number of connections, for example. A second call lets go of the first call's.
    /// @throws system_error with `invalid_argument` for an empty lease.
    void carry(std::shared_ptr<void> what);

    /// Changes what the lease counts for.
    /// @throws system_error with `invalid_argument` for a negative weight or an empty lease.
    void reweigh(std::int64_t weight);

    /// What the lease counts for; 0 once released.
    std::int64_t weight() const noexcept { return weight_; }

    /// The loop.
    /// @throws system_error with `error::loop_closed` when it is gone, `invalid_argument` for an
    /// empty lease.
    asio::io_context& get_event_loop() const;

    /// The loop's executor, typed; for the I/O objects of what the lease was taken for.
    /// @throws As get_event_loop().
    asio::io_context::executor_type get_executor() const { return get_event_loop().get_executor(); }

    /// Whether it holds a loop.
    explicit operator bool() const noexcept { return record_ != nullptr; }

private:
    std::shared_ptr<detail::loop_record> record_;
    std::int64_t weight_ = 0;
    std::shared_ptr<void> carried_;
};

/// The load of `loop` as choosers see it: the weights of its leases, and its spawned tasks.
///
/// Asio does not tell how many handlers wait, so those do not count.
LOOPS_DECL std::int64_t load_of(asio::io_context& loop);

} // namespace LOOPS_ABI
} // namespace loops

#endif
