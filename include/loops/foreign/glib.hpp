// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_FOREIGN_GLIB_HPP
#define LOOPS_FOREIGN_GLIB_HPP

#include <loops/config.hpp>

#include <boost/asio/io_context.hpp>

#include <memory>

// As GLib declares it.
struct _GMainContext;               // NOLINT: its name is GLib's
typedef _GMainContext GMainContext; // NOLINT: its words, too

namespace loops {
inline namespace LOOPS_ABI {

/// Has a loop run a `GMainContext`, on one thread: timers, descriptors, idle functions, and all that is built on them, as
/// GIO, D-Bus and GTK (and a Qt whose dispatcher is GLib's).
///
/// Whoever runs the loop through Loops runs the context as well; both have their turns, and nothing of either costs CPU time while
/// there is nothing to do. The thread owns the context, as it would in `g_main_loop_run()`: do not call that for this context, and
/// do not iterate it elsewhere. A context other than the default one is the thread's default inside of its callbacks.
///
/// The loop's run does not end for want of work while the guest lives; stop() it, or destroy this.
///
/// Link with `loops_glib`.
///
/// @par Thread safety
/// To be made and destroyed on the loop's thread, or while nobody runs the loop.
///
/// @par Example
/// @code
/// asio::io_context& loop = loops::get_event_loop();
/// loops::glib_guest glib(loop);
/// g_timeout_add(1000, tick, nullptr);
/// loops::run_loop(loop); // Asio's handlers and GLib's callbacks
/// @endcode
class LOOPS_VISIBLE glib_guest
{
public:
    /// @param loop Must outlive this object.
    /// @param context The context; null: the default one. This object holds a reference to it.
    /// @throws system_error with `error::loop_closed`, or where the system refuses a descriptor.
    explicit glib_guest(asio::io_context& loop, GMainContext* context = nullptr);

    glib_guest(const glib_guest&) = delete;
    glib_guest& operator=(const glib_guest&) = delete;
    ~glib_guest();

    /// The context that it was made for.
    GMainContext* context() const noexcept;

private:
    struct impl;
    asio::io_context& loop_;
    const std::unique_ptr<impl> impl_;
};

/// The reverse: has whoever runs a `GMainContext`, as by `g_main_loop_run()`, `g_application_run()` or `gtk_main()`, run a loop
/// as well, on that thread.
///
/// It takes the place of the context's poll function (`g_main_context_set_poll_func()`), and puts the former one back. Inside of the
/// loop's handlers `get_event_loop()` gives the loop. A loop that is stopped is restarted first. An exception that leaves a handler cannot pass GLib: it ends the program, but
/// for an event_loop with an exception handler.
///
/// A handler must not iterate the context, as by a nested main loop or a modal dialog: a callback of GLib's may, as one that the handler
/// adds by `g_idle_add()`. The loop's handlers wait meanwhile.
///
/// A thread may own one such context at a time. Link with `loops_glib`.
///
/// @par Thread safety
/// To be made and destroyed while nobody runs the context, or on the thread that does.
class LOOPS_VISIBLE glib_host
{
public:
    /// @param loop Must outlive this object. Nobody else may run it meanwhile.
    /// @param context The context; null: the default one. This object holds a reference to it.
    /// @throws system_error with `error::loop_closed`; with `error::already_running` where the context runs a loop already; or where the
    /// system refuses a descriptor.
    explicit glib_host(asio::io_context& loop, GMainContext* context = nullptr);

    glib_host(const glib_host&) = delete;
    glib_host& operator=(const glib_host&) = delete;
    ~glib_host();

    /// The context that it was made for.
    GMainContext* context() const noexcept;

private:
    struct impl;
    const std::shared_ptr<impl> impl_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
