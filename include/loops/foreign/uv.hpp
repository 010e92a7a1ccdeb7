// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_FOREIGN_UV_HPP
#define LOOPS_FOREIGN_UV_HPP

#include <loops/config.hpp>

#include <boost/asio/io_context.hpp>

#include <memory>

// As libuv declares it.
struct uv_loop_s;
typedef uv_loop_s uv_loop_t; // NOLINT: its words

namespace loops {
inline namespace LOOPS_ABI {

/// Has a loop run a `uv_loop_t`, on one thread: its timers, descriptors, asynchronous and idle handles, and all that is built on
/// them.
///
/// Whoever runs the loop through Loops runs libuv's as well; both have their turns, and nothing of either costs CPU time while
/// there is nothing to do. libuv's functions may be called in the loop's handlers. Do not call `uv_run()` for this loop.
///
/// The loop's run goes on while libuv's loop is alive, as it does in `uv_run()`: while it has active handles that are referenced,
/// or requests.
///
/// Link with `loops_uv`.
///
/// @par Thread safety
/// To be made and destroyed on the loop's thread, or while nobody runs the loop.
///
/// @par Example
/// @code
/// asio::io_context& loop = loops::get_event_loop();
/// loops::uv_guest uv(loop, uv_default_loop());
/// uv_timer_start(&timer, on_timer, 1000, 0);
/// loops::run_loop(loop); // Asio's handlers and libuv's callbacks
/// @endcode
class LOOPS_VISIBLE uv_guest
{
public:
    /// @param loop Must outlive this object.
    /// @param uv The loop of libuv's, which stays the caller's and must outlive this object.
    /// @throws system_error with `error::loop_closed`, with `invalid_argument` for a null `uv`, or where the system refuses a
    /// descriptor.
    uv_guest(asio::io_context& loop, uv_loop_t* uv);

    uv_guest(const uv_guest&) = delete;
    uv_guest& operator=(const uv_guest&) = delete;
    ~uv_guest();

    /// The loop of libuv.
    uv_loop_t* native_loop() const noexcept;

private:
    struct impl;
    asio::io_context& loop_;
    std::unique_ptr<impl> impl_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
