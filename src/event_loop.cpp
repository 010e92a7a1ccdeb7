// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/event_loop.hpp>

#include "detail/crew.hpp"
#include "detail/log.hpp"
#include "detail/loop_access.hpp"
#include "detail/loop_record.hpp"
#include "detail/run_scope.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
namespace {

// Makes a thread that runs the loop look at its debug flag.
void leave_untimed_run(const std::shared_ptr<loop_record>& record, unsigned tries);

} // namespace
} // namespace detail

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

void event_loop::stop()
{
    impl_->record->stop();
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
    if (impl_->debug.exchange(on) || !on)
        return;
    try
    {
        for (unsigned left = impl_->record->untimed_runs; left > 0; --left)
            detail::leave_untimed_run(impl_->record, 64);
    }
    catch (...) // no memory: the flag is seen when a run begins
    {}
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

namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

// How long a run that reports slow handlers waits at a time, and so how exactly it knows when a
// handler that it waited for began: Asio does not tell.
constexpr auto slice = 1ms;

void report_if_slow(const event_loop& loop, steady_clock::duration held)
{
    if (held <= loop.slow_callback_duration())
        return;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(held);
    log("a handler held loop '" + loop.name() + "' up for at least " + std::to_string(ms.count()) +
        " ms; move blocking work to a thread pool");
}

// Calls `run_one`, and reports a handler that took too long, whether it returned or threw.
template <class RunOne>
std::size_t run_timed(const event_loop& loop, steady_clock::duration waited, RunOne run_one)
{
    const auto begin = steady_clock::now();
    std::size_t ran = 0;
    try
    {
        ran = run_one();
    }
    catch (...)
    {
        report_if_slow(loop, steady_clock::now() - begin - waited);
        throw;
    }
    if (ran > 0)
        report_if_slow(loop, steady_clock::now() - begin - waited);
    return ran;
}

// Runs one handler, and reports it if it held the loop up. True: there may be more to run.
bool run_one_timed(event_loop& loop, std::size_t& ran, const std::optional<steady_time>& deadline)
{
    asio::io_context& base = loop;
    const bool poll = deadline == steady_time::min();
    if (!poll && deadline && steady_clock::now() >= *deadline)
        return false;
    std::size_t one = run_timed(loop, 0ns, [&] { return base.poll_one(); });
    if (one == 0 && !poll && !base.stopped())
    {
        const auto end = steady_clock::now() + slice;
        const auto until = deadline ? std::min(*deadline, end) : end;
        one = run_timed(loop, slice, [&] { return base.run_one_until(until); });
    }
    ran += one;
    return !base.stopped() && (one > 0 || !poll);
}

// Leaves the run function of Asio that a thread is inside of, for drive() to go on differently.
struct untimed_run_left
{};

class untimed_run
{
public:
    explicit untimed_run(loop_record& record)
        : record_(record), frame_(thread_state::of_this_thread().run)
    {
        ++record_.untimed_runs;
        if (frame_ != nullptr) // null in a child that was forked by a handler
            frame_->untimed = true;
    }

    untimed_run(const untimed_run&) = delete;
    untimed_run& operator=(const untimed_run&) = delete;

    ~untimed_run()
    {
        if (frame_ != nullptr)
            frame_->untimed = false;
        --record_.untimed_runs;
    }

private:
    loop_record& record_;
    run_frame* const frame_;
};

std::size_t run_plain(
    asio::io_context& loop, run_mode mode, const std::optional<steady_time>& deadline)
{
    if (!deadline)
        return mode == run_mode::all ? loop.run() : loop.run_one();
    if (*deadline == steady_time::min())
        return mode == run_mode::all ? loop.poll() : loop.poll_one();
    return mode == run_mode::all ? loop.run_until(*deadline) : loop.run_one_until(*deadline);
}

// Nothing where slow handlers are to be reported.
std::optional<std::size_t> run_untimed(const event_loop& loop, loop_record& record, bool singly,
    const std::optional<steady_time>& deadline)
{
    // Before the look at the flag: who sets it afterwards finds this run and ends it.
    const untimed_run mark(record);
    if (loop.get_debug())
        return std::nullopt;
    return run_plain(*record.context(), singly ? run_mode::one : run_mode::all, deadline);
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
    // Asio forgets its count when a handler throws, so that it must not be Asio who counts.
    const bool singly = mode == run_mode::one || loop_access::handles(*ours);
    std::size_t ran = 0;
    for (bool more = true; more;)
    {
        try
        {
            if (const auto untimed = run_untimed(*ours, record, singly, deadline))
            {
                ran += *untimed;
                more = singly && *untimed > 0;
            }
            else
            {
                more = run_one_timed(*ours, ran, deadline);
            }
        }
        catch (const untimed_run_left&)
        {
            continue;
        }
        catch (...)
        {
            if (!loop_access::handle(*ours, std::current_exception()))
                throw;
            ++ran;
        }
        if (mode == run_mode::one && ran > 0)
            break;
    }
    return ran;
}

namespace {

void leave_untimed_run(const std::shared_ptr<loop_record>& record, unsigned tries)
{
    asio::io_context* const loop = record->context();
    if (loop == nullptr)
        return;
    asio::post(*loop, [record, tries] {
        const run_frame* const run = thread_state::of_this_thread().run;
        if (run != nullptr && run->record == record && run->untimed)
            throw untimed_run_left();
        // Meant for another of the threads that run the loop, which has been woken by now.
        if (tries > 0 && record->untimed_runs > 0)
            leave_untimed_run(record, tries - 1);
    });
}

} // namespace

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
