// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/event_loop.hpp>

#include "detail/crew.hpp"
#include "detail/loop_access.hpp"
#include "detail/loop_record.hpp"
#include "detail/run_scope.hpp"

#include <boost/asio/post.hpp>

#include <atomic>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

struct event_loop::impl
{
    std::shared_ptr<detail::loop_record> record;
    std::shared_ptr<detail::crew> threads; // set where a thread of the policy runs the loop
    exception_handler on_exception;
    std::atomic<bool> stop_requested{false};
    std::atomic<bool> debug{false};
    // asyncio's loop.slow_callback_duration
    std::atomic<std::chrono::nanoseconds> slow{std::chrono::milliseconds(100)};

    void mark_stop();
    void post_stop_marker();

    class mailed_stop_marker;
};

event_loop::event_loop(std::string name)
    : event_loop(BOOST_ASIO_CONCURRENCY_HINT_DEFAULT, std::move(name))
{}

event_loop::event_loop(int concurrency_hint, std::string name)
    : asio::io_context(concurrency_hint), impl_(std::make_unique<impl>())
{
    impl_->record = detail::record_of(*this);
    impl_->record->make_ours(*this, std::move(name), concurrency_hint == 1);
}

event_loop::~event_loop()
{
    if (impl_->threads)
        impl_->threads->remove(*this);
    // Here, not in the base: what handlers own is destroyed while the loop is still whole.
    if (impl_->record->begin_close())
        shut_down();
}

void event_loop::shut_down()
{
    asio::io_context::stop();
    // Before the services, which destroy the handlers that wait in an order of their own.
    impl_->record->end();
    asio::io_context::shutdown();
}

const std::string& event_loop::name() const noexcept
{
    return impl_->record->name();
}

void event_loop::run_forever()
{
    const detail::run_scope scope(*this);
    const detail::work_hold keep(scope.record());
    // Looked at inside of the run: a request from here on sees the run, and posts for itself.
    if (impl_->stop_requested)
        impl_->mark_stop();
    detail::drive(scope.record(), detail::run_mode::all);
}

class event_loop::impl::mailed_stop_marker final : public detail::mail
{
public:
    explicit mailed_stop_marker(impl& of) noexcept : of_(of) {}

    void deliver() override
    {
        const std::unique_ptr<mailed_stop_marker> self(this);
        of_.post_stop_marker();
    }

    void discard() noexcept override { delete this; }

private:
    impl& of_;
};

// What is queued now runs before the marker does: so does what waits in the mailbox, more than a
// batch of it, too.
void event_loop::impl::mark_stop()
{
    if (!record->mail().is_empty())
    {
        auto marker = std::make_unique<mailed_stop_marker>(*this);
        if (send(*record, *marker))
        {
            marker.release(); // NOLINT(bugprone-unused-return-value): it is the mailbox's
            return;
        }
    }
    post_stop_marker();
}

// Runs behind what is queued now, and stops the runs that go through Loops.
void event_loop::impl::post_stop_marker()
{
    asio::io_context* const loop = record->context();
    if (loop == nullptr)
        return;
    asio::post(*loop, [this] {
        if (stop_requested.exchange(false))
            record->stop_once();
    });
}

void event_loop::stop()
{
    impl_->record->stop();
}

void event_loop::request_stop()
{
    // A run that begins meanwhile sees either the flag or the marker; a second marker does nothing.
    impl_->stop_requested = true;
    if (impl_->record->is_running())
        impl_->mark_stop();
}

void event_loop::close()
{
    if (impl_->threads && !impl_->threads->inside(*this))
        std::exchange(impl_->threads, nullptr)->remove(*this);
    if (impl_->record->begin_close())
        shut_down();
}

void event_loop::close(error_code& ec)
{
    try
    {
        close();
        ec.clear();
    }
    catch (const system_error& e)
    {
        ec = e.code();
    }
}

bool event_loop::is_running() const
{
    return impl_->record->is_running();
}

bool event_loop::is_closed() const
{
    return impl_->record->is_closed();
}

void event_loop::set_exception_handler(exception_handler handler)
{
    impl_->on_exception = std::move(handler);
}

void event_loop::set_debug(bool on) noexcept
{
    if (!impl_->debug.exchange(on) && on)
        detail::leave_untimed_runs(impl_->record);
}

bool event_loop::get_debug() const noexcept
{
    return impl_->debug;
}

void event_loop::set_slow_callback_duration(std::chrono::nanoseconds time) noexcept
{
    impl_->slow = time;
}

std::chrono::nanoseconds event_loop::slow_callback_duration() const noexcept
{
    return impl_->slow;
}

namespace detail {

std::shared_ptr<crew> loop_access::take_threads(event_loop& loop) noexcept
{
    return std::exchange(loop.impl_->threads, nullptr);
}

void loop_access::finish_close(event_loop& loop)
{
    loop.shut_down();
}

void loop_access::give_to(event_loop& loop, std::shared_ptr<crew> threads)
{
    loop.impl_->threads = std::move(threads);
}

bool loop_access::has_own_thread(const event_loop& loop) noexcept
{
    return loop.impl_->threads != nullptr;
}

bool loop_access::handles(const event_loop& loop) noexcept
{
    return loop.impl_->on_exception != nullptr;
}

bool loop_access::handle(event_loop& loop, const std::exception_ptr& exception)
{
    if (!loop.impl_->on_exception)
        return false;
    loop.impl_->on_exception(exception);
    return true;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
