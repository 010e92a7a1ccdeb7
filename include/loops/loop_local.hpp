// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_LOOP_LOCAL_HPP
#define LOOPS_LOOP_LOCAL_HPP

#include <loops/config.hpp>
#include <loops/event_loop.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {

LOOPS_DECL std::uint64_t new_local_key() noexcept;
LOOPS_DECL void* find_local(
    asio::io_context& loop, std::uint64_t key, const std::function<std::shared_ptr<void>()>& make);

} // namespace detail

/// A value for each loop, as `thread_local` is one for each thread: a cache, a connection pool, a
/// counter that needs no lock because its loop is run by one thread.
///
/// A value is made at the first use on its loop and destroyed when the loop is closed or destroyed,
/// the youngest first; it may hold I/O objects of the loop. On an event_loop all values go before
/// the handlers that still wait; on an `io_context` that Loops did not make some of these may go
/// first, as the order of its services has it. Destroying the `loop_local` leaves the values to
/// their loops.
///
/// Making a value may use other values of the same loop, but not itself, by whatever detour.
///
/// @tparam T The value's type.
///
/// @par Thread safety
/// Safe. The values themselves are as safe as `T` is, which matters where several threads run one
/// loop.
template <class T>
class loop_local
{
public:
    /// Values are value-initialised.
    loop_local() : loop_local([](asio::io_context&) { return std::make_shared<T>(); }) {}

    /// Values are made by `make(loop)`, which returns a `std::shared_ptr<T>`. What it throws leaves
    /// get(), and the next get() tries again.
    explicit loop_local(std::function<std::shared_ptr<T>(asio::io_context&)> make)
        : key_(detail::new_local_key()), make_(std::move(make))
    {}

    loop_local(const loop_local&) = delete;
    loop_local& operator=(const loop_local&) = delete;

    /// The value of the loop that get_event_loop() gives.
    /// @throws What get_event_loop() throws, and what making a value throws.
    T& get() const { return get(get_event_loop()); }

    /// The value of `loop`.
    /// @throws system_error with `error::loop_closed`, or with `resource_deadlock_would_occur` where
    /// the value is being made on this thread; what making a value throws.
    T& get(asio::io_context& loop) const
    {
        return *static_cast<T*>(
            detail::find_local(loop, key_, [&]() -> std::shared_ptr<void> { return make_(loop); }));
    }

    /// As get().
    T& operator*() const { return get(); }
    /// As get().
    T* operator->() const { return &get(); }

private:
    const std::uint64_t key_;
    const std::function<std::shared_ptr<T>(asio::io_context&)> make_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
