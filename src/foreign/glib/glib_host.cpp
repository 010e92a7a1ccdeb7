// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// GLib lets a context have a poll function of its own. This one has a loop wait for what GLib would wait for, and so runs
// the loop's handlers meanwhile.

#include <loops/error.hpp>
#include <loops/event_loop.hpp>
#include <loops/foreign/glib.hpp>

#include "foreign/glib/glib_guest.hpp"
#include "foreign/poll_set.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
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
    ~impl();

    gint poll(GPollFD* all, guint size, gint timeout);
    void arm();

    static gint poll_function(GPollFD* all, guint size, gint timeout) noexcept;

    // GLib does not tell the function which context it is for: the one that the thread owns.
    static std::mutex& mutex()
    {
        static auto* const made = new std::mutex;
        return *made;
    }
    static std::vector<impl*>& all()
    {
        static auto* const made = new std::vector<impl*>;
        return *made;
    }

    asio::io_context& loop;
    const loops_foreign::context_pointer context;
    loops_foreign::poll_set descriptors;
    asio::posix::stream_descriptor bell;
    const std::shared_ptr<bool> armed = std::make_shared<bool>(false);
    // Work of others may come at any time.
    const asio::executor_work_guard<asio::io_context::executor_type> work;
    GPollFunc former = nullptr;
};

glib_host::impl::impl(asio::io_context& of, loops_foreign::context_pointer by)
    : loop(of), context(std::move(by)), bell(of), work(of.get_executor())
{
    const int copy = ::fcntl(descriptors.native_handle(), F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        detail::throw_error(error_code(errno, boost::system::system_category()),
            "having GLib run a loop: copying a descriptor");
    bell.assign(copy);
    former = g_main_context_get_poll_func(context.get());
    {
        const std::lock_guard lock(mutex());
        all().push_back(this);
    }
    g_main_context_set_poll_func(context.get(), &poll_function);
    g_main_context_wakeup(context.get()); // who polls already does so anew
}

glib_host::impl::~impl()
{
    g_main_context_set_poll_func(context.get(), former);
    const std::lock_guard lock(mutex());
    all().erase(std::find(all().begin(), all().end(), this));
}

gint glib_host::impl::poll_function(GPollFD* all_of_it, guint size, gint timeout) noexcept
{
    impl* found = nullptr;
    {
        const std::lock_guard lock(mutex());
        for (impl* const each : all())
        {
            if (g_main_context_is_owner(each->context.get()) != FALSE)
                found = each;
        }
    }
    return found != nullptr ? found->poll(all_of_it, size, timeout)
                            : g_poll(all_of_it, size, timeout);
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
    int ran = 0;
    while (ran < most_handlers && detail::poll_one(loop) > 0)
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
    : impl_(std::make_unique<impl>(loop, loops_foreign::hold(context)))
{}

glib_host::~glib_host() = default;

GMainContext* glib_host::context() const noexcept
{
    return impl_->context.get();
}

} // namespace LOOPS_ABI
} // namespace loops
