// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// GLib lets a context have a poll function of its own. This one has a loop wait for what GLib would wait for, and so runs
// the loop's handlers meanwhile.

#include <loops/error.hpp>
#include <loops/event_loop.hpp>
#include <loops/foreign/glib.hpp>
#include <loops/lease.hpp>

#include "foreign/glib/glib_guest.hpp"
#include "foreign/poll_set.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

// How many of the loop's handlers run before GLib has its turn.
constexpr int most_handlers = 16;

} // namespace

struct glib_host::impl
{
    impl(asio::io_context& of, loops_foreign::context_pointer by);

    void begin(const std::shared_ptr<impl>& self);
    void end();
    gint poll(GPollFD* wanted, guint size, gint timeout);
    void arm();

    // What a handler throws cannot pass GLib, and ends the program.
    // NOLINTNEXTLINE(bugprone-exception-escape)
    static gint poll_function(GPollFD* wanted, guint size, gint timeout) noexcept;

    // GLib does not tell the function which context it is for: the one that the thread owns.
    static std::mutex& mutex()
    {
        static auto* const made = new std::mutex;
        return *made;
    }
    static std::vector<std::shared_ptr<impl>>& all()
    {
        static auto* const made = new std::vector<std::shared_ptr<impl>>;
        return *made;
    }

    asio::io_context& loop;
    const lease place; // throws where the loop is closed
    const loops_foreign::context_pointer context;
    loops_foreign::poll_set descriptors;
    asio::posix::stream_descriptor bell;
    const std::shared_ptr<bool> armed = std::make_shared<bool>(false);
    // Work of others may come at any time.
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
    GPollFunc former = nullptr;
    bool is_over = false;
};

glib_host::impl::impl(asio::io_context& of, loops_foreign::context_pointer by)
    : loop(of), place(of, 0), context(std::move(by)), bell(of), work(of.get_executor())
{
    const int copy = ::fcntl(descriptors.native_handle(), F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        detail::throw_error(error_code(errno, boost::system::system_category()),
            "having GLib run a loop: copying a descriptor");
    bell.assign(copy);
}

void glib_host::impl::begin(const std::shared_ptr<impl>& self)
{
    {
        const std::lock_guard lock(mutex());
        if (std::any_of(all().begin(), all().end(),
                [this](const auto& each) { return each->context == context; }))
            detail::throw_error(
                error::already_running, "having a GMainContext run a loop; it runs one already");
        all().push_back(self);
        former = g_main_context_get_poll_func(context.get());
    }
    loop.restart(); // it may have been run before, and have run out of work then
    g_main_context_set_poll_func(context.get(), &poll_function);
    g_main_context_wakeup(context.get()); // who polls already does so anew
}

// It may be called by a handler, inside of poll().
void glib_host::impl::end()
{
    g_main_context_set_poll_func(context.get(), former);
    is_over = true;
    error_code ignored;
    bell.close(ignored);
    work.reset();
    const std::lock_guard lock(mutex());
    const auto self = std::find_if(
        all().begin(), all().end(), [this](const auto& each) { return each.get() == this; });
    all().erase(self);
}

// NOLINTNEXTLINE(bugprone-exception-escape)
gint glib_host::impl::poll_function(GPollFD* wanted, guint size, gint timeout) noexcept
{
    std::shared_ptr<impl> found; // which a handler may end
    {
        const std::lock_guard lock(mutex());
        for (const auto& each : all())
        {
            if (g_main_context_is_owner(each->context.get()) != FALSE)
                found = each;
        }
    }
    return found ? found->poll(wanted, size, timeout) : g_poll(wanted, size, timeout);
}

void glib_host::impl::arm()
{
    if (*armed)
        return;
    *armed = true;
    bell.async_wait(asio::posix::stream_descriptor::wait_read,
        [flag = armed](const error_code&) { *flag = false; });
}

// GLib asks its sources anew after each return; so what a handler of the loop's did with them is seen.
gint glib_host::impl::poll(GPollFD* wanted, guint size, gint timeout)
{
    if (loop.get_executor().running_in_this_thread()) // a handler iterates the context
        return former(wanted, size, timeout);
    int ran = 0;
    while (ran < most_handlers && !is_over && detail::poll_one(loop) > 0)
        ++ran;
    const gint ready = former(wanted, size, 0);
    if (ready != 0 || ran > 0 || timeout == 0)
        return ready;
    if (loop.stopped())
        return former(wanted, size, timeout);
    descriptors.assign(wanted, size);
    arm();
    if (timeout < 0)
        detail::run_one(loop);
    else
        detail::run_one_until(loop, loop_clock::now() + std::chrono::milliseconds(timeout));
    return former(wanted, size, 0);
}

glib_host::glib_host(asio::io_context& loop, GMainContext* context)
    : impl_(std::make_shared<impl>(loop, loops_foreign::hold(context)))
{
    impl_->begin(impl_);
}

glib_host::~glib_host()
{
    impl_->end();
}

GMainContext* glib_host::context() const noexcept
{
    return impl_->context.get();
}

} // namespace LOOPS_ABI
} // namespace loops
