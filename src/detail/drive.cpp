// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// How a thread runs a loop's handlers once its run is recorded.

#include <loops/error.hpp>
#include <loops/event_loop.hpp>

#include "detail/hosting_run.hpp"
#include "detail/log.hpp"
#include "detail/loop_access.hpp"
#include "detail/loop_probe.hpp"
#include "detail/loop_record.hpp"
#include "detail/run_scope.hpp"
#include "detail/spinner.hpp"
#include "detail/virtual_time.hpp"
#include "platform/system.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

// How long a run that reports slow handlers waits at a time, and so how exactly it knows when a
// handler that it waited for began: Asio does not tell.
constexpr auto slice = 1ms;

// What a call of Asio's has done.
struct step
{
    std::size_t ran;
    bool more; // there may be more to run
};

std::uint64_t probes_of(const run_frame* frame) noexcept
{
    return frame != nullptr ? frame->probes : 0;
}

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

// Runs one handler, and reports it if it held the loop up.
step run_one_timed(
    event_loop& loop, run_frame* frame, const std::optional<steady_time>& deadline, spinner& spin)
{
    asio::io_context& base = loop;
    const bool poll = deadline == steady_time::min();
    if (!poll && deadline && steady_clock::now() >= *deadline)
        return {0, false};
    const std::uint64_t probes = probes_of(frame);
    std::size_t one = run_timed(loop, 0ns, [&] { return base.poll_one(); });
    if (one == 0 && spin.is_on() && !spin.is_over())
        spin.polled_in_vain();
    else if (one == 0 && !poll && !base.stopped())
    {
        const auto end = steady_clock::now() + slice;
        const auto until = deadline ? std::min(*deadline, end) : end;
        one = run_timed(loop, slice, [&] { return base.run_one_until(until); });
    }
    return {one - (probes_of(frame) - probes), !base.stopped() && (one > 0 || !poll)};
}

// The same, where the time jumps instead of passing.
step run_one_virtually(asio::io_context& loop, const run_frame* frame, virtual_run& run,
    const std::optional<steady_time>& deadline)
{
    const bool poll = deadline == steady_time::min();
    const std::uint64_t probes = probes_of(frame);
    if (!poll && deadline && loop_clock::now() >= *deadline)
        return {0, false};
    const std::size_t one = poll ? run.poll_one(loop) : run.run_one(loop, deadline);
    const std::size_t ran = one - (probes_of(frame) - probes);
    if (ran > 0)
        run.ran();
    return {ran, !loop.stopped() && (one > 0 || !poll)};
}

// The same, with the loop's guests.
step run_one_hosting(asio::io_context& loop, const run_frame* frame, hosting_run& run,
    const std::optional<steady_time>& deadline)
{
    const bool poll = deadline == steady_time::min();
    if (!poll && deadline && steady_clock::now() >= *deadline)
        return {0, false};
    const std::uint64_t probes = probes_of(frame);
    const hosting_run::turn turn = run.run_one(deadline);
    return {turn.handlers - (probes_of(frame) - probes), !loop.stopped() && !(turn.idle && poll)};
}

// Leaves the run function of Asio that a thread is inside of, for drive() to go on differently.
struct untimed_run_left
{};

class untimed_run
{
public:
    untimed_run(loop_record& record, run_frame* frame) : record_(record), frame_(frame)
    {
        ++record_.untimed_runs;
        if (frame_ != nullptr)
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

// The probes of watches are not handlers of anybody's: they are not counted, and one alone is none.
std::size_t run_plain(asio::io_context& loop, const run_frame* frame, run_mode mode,
    const std::optional<steady_time>& deadline)
{
    const auto run = [&] {
        if (!deadline)
            return mode == run_mode::all ? loop.run() : loop.run_one();
        if (*deadline == steady_time::min())
            return mode == run_mode::all ? loop.poll() : loop.poll_one();
        return mode == run_mode::all ? loop.run_until(*deadline) : loop.run_one_until(*deadline);
    };
    for (;;)
    {
        const std::uint64_t probes = probes_of(frame);
        const std::size_t all = run();
        const std::size_t ran = all - (probes_of(frame) - probes);
        if (ran > 0 || all == 0 || mode == run_mode::all)
            return ran;
    }
}

// As io_context::run() or run_one(), and polls for a time before it sleeps.
std::size_t run_spinning(
    asio::io_context& loop, const run_frame* frame, run_mode mode, spinner& spin)
{
    for (std::size_t ran = 0;;)
    {
        const std::uint64_t probes = probes_of(frame);
        const std::size_t all = spin.is_over()          ? loop.run_one()
                                : mode == run_mode::all ? loop.poll()
                                                        : loop.poll_one();
        const std::size_t handlers = all - (probes_of(frame) - probes);
        ran += handlers;
        if (handlers > 0)
            spin.ran_handler();
        if (all == 0 ? loop.stopped() : handlers > 0 && mode == run_mode::one)
            return ran;
        if (all == 0)
            spin.polled_in_vain();
    }
}

// Runs as many handlers as there are, if it may; nothing where slow ones are to be reported.
std::optional<step> run_untimed(loop_record& record, run_frame* frame, run_mode mode,
    const std::optional<steady_time>& deadline, spinner& spin)
{
    // Before the look at how it is to run: who changes that afterwards finds this run and ends it.
    const untimed_run mark(record, frame);
    const event_loop* const ours = record.ours();
    if (ours != nullptr && ours->get_debug())
        return std::nullopt;
    // Asio forgets its count when a handler throws, and tells it at the end only.
    const bool singly = mode == run_mode::one || record.usage.counts() ||
                        (ours != nullptr && loop_access::handles(*ours));
    asio::io_context& loop = *record.context();
    const run_mode at_a_time = singly ? run_mode::one : mode;
    const std::size_t ran = spin.is_on() ? run_spinning(loop, frame, at_a_time, spin)
                                         : run_plain(loop, frame, at_a_time, deadline);
    return step{ran, singly && ran > 0};
}

// How the loop is to be run may change during a run. What is refused ends that: it is no handler's exception.
void take_in(loop_record& record, std::optional<virtual_run>& virtually,
    std::shared_ptr<hosting_run>& hosting)
{
    if (!virtually)
    {
        if (auto time = record.time())
            virtually.emplace(std::move(time));
    }
    if (!hosting && record.has_guests())
        hosting = std::make_shared<hosting_run>(record);
    if (virtually && hosting)
        throw_error(make_error_code(boost::system::errc::operation_not_supported),
            "running " + record.describe() + " on " + platform::describe_thread() +
                " in virtual time: it has guests, whose time is real");
    if (hosting)
        hosting->take_in();
}

std::size_t run_recorded(
    asio::io_context& loop, run_mode mode, const std::optional<steady_time>& deadline)
{
    const run_scope scope(loop);
    return drive(scope.record(), mode, deadline);
}

} // namespace

std::size_t drive(loop_record& record, run_mode mode, std::optional<steady_time> deadline,
    std::chrono::nanoseconds spin_time)
{
    event_loop* const ours = record.ours();
    // Null in a child that was forked by a handler.
    run_frame* const frame = thread_state::of_this_thread().run;
    spinner spin(record, frame, deadline ? 0ns : spin_time);
    std::optional<virtual_run> virtually;
    // Of all that the thread does in its run of the loop: guests have their turns by what ran before, too.
    std::shared_ptr<hosting_run> own;
    std::shared_ptr<hosting_run>& hosting = frame != nullptr ? frame->hosting : own;
    std::size_t ran = 0;
    const auto count = [&](std::size_t number) {
        ran += number;
        if (number > 0)
            spin.ran_handler();
        if (frame != nullptr && record.usage.counts())
            frame->handlers.store(frame->handlers.load(std::memory_order_relaxed) + number,
                std::memory_order_relaxed);
    };
    const auto real_deadline = [&] {
        return deadline && *deadline != steady_time::min() ? std::optional(to_real_time(*deadline))
                                                           : deadline;
    };
    for (bool more = true; more;)
    {
        try
        {
            take_in(record, virtually, hosting);
        }
        catch (...)
        {
            if (frame != nullptr)
                frame->refused = true;
            throw;
        }
        try
        {
            std::optional<step> next;
            if (virtually)
                next = run_one_virtually(*record.context(), frame, *virtually, deadline);
            else if (hosting)
                next = run_one_hosting(*record.context(), frame, *hosting, real_deadline());
            else
                next = run_untimed(record, frame, mode, real_deadline(), spin);
            if (!next)
                next = run_one_timed(*ours, frame, real_deadline(), spin);
            count(next->ran);
            more = next->more;
        }
        catch (const untimed_run_left&)
        {
            continue;
        }
        catch (...)
        {
            count(1);
            if (virtually)
                virtually->ran();
            if (ours == nullptr || !loop_access::handle(*ours, std::current_exception()))
                throw;
        }
        if (mode == run_mode::one && ran > 0)
            break;
    }
    return ran;
}

namespace {

void leave_untimed_run(const std::shared_ptr<loop_record>& record, unsigned tries);

void leave_untimed_run_later(const std::shared_ptr<loop_record>& record, unsigned tries)
{
    record->while_alive([&](asio::io_context& loop) {
        const auto timer = std::make_shared<asio::steady_timer>(loop, 1ms);
        timer->async_wait([timer, record, tries](const error_code&) {
            count_as_probe();
            leave_untimed_run(record, tries);
        });
    });
}

// Makes a thread that runs the loop look anew at how it is to.
void leave_untimed_run(const std::shared_ptr<loop_record>& record, unsigned tries)
{
    record->while_alive([&](asio::io_context& loop) {
        asio::post(loop, [record, tries] {
            const run_frame* const run = thread_state::of_this_thread().run;
            if (run != nullptr && run->record == record && run->untimed)
            {
                if (!is_in_nested_run())
                    throw untimed_run_left();
                leave_untimed_run_later(record, tries); // not through a handler that runs others
                return;
            }
            // Meant for another of the threads that run the loop, which has been woken by now.
            if (tries > 0 && record->untimed_runs > 0)
                leave_untimed_run(record, tries - 1);
        });
    });
}

} // namespace

void leave_untimed_runs(const std::shared_ptr<loop_record>& record) noexcept
{
    try
    {
        for (unsigned left = record->untimed_runs; left > 0; --left)
            leave_untimed_run(record, 64);
    }
    catch (...) // no memory: it is seen when a run begins
    {}
}

void count_runs(const std::shared_ptr<loop_record>& record, bool on)
{
    if (record->count_runs(on) && on)
        leave_untimed_runs(record);
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
