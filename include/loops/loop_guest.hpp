// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_LOOP_GUEST_HPP
#define LOOPS_LOOP_GUEST_HPP

#include <loops/config.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <optional>

namespace loops {
inline namespace LOOPS_ABI {

/// Another framework's event loop, which is run along with a loop, on its thread. Derive from it to
/// host one; for GLib and libuv there is `loops/foreign/`.
///
/// A loop with guests is not run in virtual time: the run function throws `operation_not_supported`. It
/// reports no slow callbacks.
///
/// All of it is called on the thread that runs the loop, and by Loops' run functions only: `event_loop::run()` and its siblings,
/// loops::run_loop(), policies. A plain `io_context::run()` does not run guests.
class LOOPS_DECL loop_guest
{
public:
    loop_guest() = default;
    loop_guest(const loop_guest&) = delete;
    loop_guest& operator=(const loop_guest&) = delete;
    virtual ~loop_guest();

    /// Runs what is ready there, without waiting: about one round of it, so that the loop's own
    /// handlers have their turn.
    /// @return Whether there may be more that is ready.
    virtual bool run_ready() = 0;

    /// Prepares for a wait: called after the last handler, whosever it was, and before the loop's thread sleeps.
    /// @return How long it may sleep at the most; nothing: for ever.
    virtual std::optional<std::chrono::milliseconds> prepare() = 0;

    /// What is readable while something is ready there that prepare() did not foresee. The same
    /// for the guest's life.
    virtual int native_handle() const = 0;

    /// Whether the loop's run goes on for its sake.
    virtual bool has_work() const = 0;
};

/// Has a loop run a guest from now on; a run that is under way takes it in at once. Guests have their turns in the
/// order of their adding.
///
/// A loop with guests is run by one thread at a time: a second one is refused with `error::already_running`.
///
/// @throws system_error with `error::loop_closed`, and with `invalid_argument` for a null guest.
/// @par Thread safety
/// Safe.
LOOPS_DECL void add_guest(asio::io_context& loop, std::shared_ptr<loop_guest> guest);

/// Ends that. On another thread than the loop's, a call of the guest's may be under way when it returns.
/// Where the guest is none of the loop's: nothing.
/// @par Thread safety
/// Safe.
LOOPS_DECL void remove_guest(asio::io_context& loop, const loop_guest& guest) noexcept;

} // namespace LOOPS_ABI
} // namespace loops

#endif
