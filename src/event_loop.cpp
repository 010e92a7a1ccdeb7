// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/event_loop.hpp>

#include "detail/crew.hpp"
#include "detail/log.hpp"
#include "detail/loop_access.hpp"
#include "detail/loop_record.hpp"
#include "detail/run_scope.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
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

    void post_stop_marker();
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
    asio::io_context::shutdown();
}

const std::string& event_loop::name() const noexcept
{
    return impl_->record->name();
}

void event_loop::run_forever()
{
    const auto keep = asio::make_work_guard(*this);
    const detail::run_scope scope(*this);
    // Looked at inside of the run: a request from here on sees the run, and posts for itself.
    if (impl_->stop_requested)
        impl_->post_stop_marker();
    detail::drive(scope.record(), detail::run_mode::all);
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

void event_loop::request_stop()
{
    // A run that begins meanwhile sees either the flag or the marker; a second marker does nothing.
    impl_->stop_requested = true;
    if (impl_->record->is_running())
        impl_->post_stop_marker();
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
    impl_->debug = on;
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

void loop_access::give_to(event_loop& loop, std::shared_ptr<crew> threads)
{
    loop.impl_->threads = std::move(threads);
}

bool loop_access::has_own_thread(const event_loop& loop) noexcept
{
    return loop.impl_->threads != nullptr;
}

bool loop_access::handle(event_loop& loop, const std::exception_ptr& exception)
{
    if (!loop.impl_->on_exception)
        return false;
    loop.impl_->on_exception(exception);
    return true;
}

namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

// Runs one handler, and reports it if it held the loop up. Asio does not tell when the wait for a
// handler ended and the handler began, so that waits are cut into slices, and what took longer
// than a slice and the limit together was the handler. True: there may be more to run.
bool run_one_timed(event_loop& loop, std::size_t& ran, const std::optional<steady_time>& deadline)
{
    const std::chrono::nanoseconds limit = loop.slow_callback_duration();
    const bool poll = deadline == steady_time::min();
    const auto slice =
        poll ? std::chrono::nanoseconds(0) : std::max<std::chrono::nanoseconds>(limit / 10, 1ms);
    const auto begin = steady_clock::now();
    const auto wait_until = deadline ? std::min(*deadline, begin + slice) : begin + slice;
    asio::io_context& base = loop;
    const std::size_t one = poll ? base.poll_one() : base.run_one_until(wait_until);
    const auto end = steady_clock::now();
    const auto held = end - begin - slice;
    if (one > 0 && held > limit)
    {
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(held);
        log("a handler held loop '" + loop.name() + "' up for at least " +
            std::to_string(ms.count()) + " ms; move blocking work to a thread pool");
    }
    ran += one;
    return !loop.stopped() && (one > 0 || !deadline || end < *deadline);
}

std::size_t run_plain(
    asio::io_context& loop, run_mode mode, const std::optional<steady_time>& deadline)
{
    if (!deadline)
        return mode == run_mode::all ? loop.run() : loop.run_one();
    if (*deadline == steady_time::min())
        return mode == run_mode::all ? loop.poll() : loop.poll_one();
    return mode == run_mode::all ? loop.run_until(*deadline) : loop.run_one_until(*deadline);
}

std::size_t run_recorded(
    asio::io_context& loop, run_mode mode, const std::optional<steady_time>& deadline)
{
    const run_scope scope(loop);
    return drive(scope.record(), mode, deadline);
}

} // namespace

std::size_t drive(loop_record& record, run_mode mode, std::optional<steady_time> deadline)
{
    asio::io_context& loop = *record.context();
    event_loop* const ours = record.ours();
    if (ours == nullptr)
        return run_plain(loop, mode, deadline);
    std::size_t ran = 0;
    for (;;)
    {
        try
        {
            if (!ours->get_debug())
                return ran + run_plain(loop, mode, deadline);
            const bool more = run_one_timed(*ours, ran, deadline);
            if (!more || (mode == run_mode::one && ran > 0))
                return ran;
        }
        catch (...)
        {
            if (!loop_access::handle(*ours, std::current_exception()))
                throw;
            if (mode == run_mode::one)
                return 1;
            ++ran;
        }
    }
}

std::size_t run_all(asio::io_context& loop)
{
    return run_recorded(loop, run_mode::all, std::nullopt);
}

std::size_t run_all_until(asio::io_context& loop, steady_time deadline)
{
    return run_recorded(loop, run_mode::all, deadline);
}

std::size_t run_one(asio::io_context& loop)
{
    return run_recorded(loop, run_mode::one, std::nullopt);
}

std::size_t run_one_until(asio::io_context& loop, steady_time deadline)
{
    return run_recorded(loop, run_mode::one, deadline);
}

std::size_t poll_all(asio::io_context& loop)
{
    return run_recorded(loop, run_mode::all, steady_time::min());
}

std::size_t poll_one(asio::io_context& loop)
{
    return run_recorded(loop, run_mode::one, steady_time::min());
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
