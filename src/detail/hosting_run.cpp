// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/hosting_run.hpp"

#include <loops/error.hpp>

#include "detail/loop_probe.hpp"
#include "detail/loop_record.hpp"
#include "detail/thread_state.hpp"
#include "platform/posix/descriptor.hpp"
#include "platform/system.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// How many handlers of the loop's own run between two turns of the guests.
constexpr std::size_t most_handlers = 16;

} // namespace

hosting_run::bell::bell(asio::io_context& loop, const std::shared_ptr<loop_guest>& of)
    : guest(of), descriptor(loop)
{
    error_code ec;
    const int copy = platform::copy_descriptor(guest->native_handle(), ec);
    if (!ec)
        descriptor.assign(copy, ec);
    if (!ec)
        return;
    platform::close_descriptor(copy);
    throw_error(ec, "waiting for a guest of a loop on " + platform::describe_thread());
}

hosting_run::hosting_run(loop_record& record)
    : record_(record), loop_(*record.context()), timer_(loop_), mark_(std::make_shared<loop_mark>())
{
    if (!record_.begin_hosting())
        throw_error(error::already_running, "running " + record_.describe() + " on " +
                                                platform::describe_thread() +
                                                "; it has guests, and one thread runs them now");
}

hosting_run::~hosting_run()
{
    // To let go of work may stop the loop, as if it were out of work.
    const bool was_stopped = loop_.stopped();
    work_.reset();
    if (!was_stopped && loop_.stopped() && has_work())
        record_.go_on_without_work();
    record_.end_hosting();
}

void hosting_run::take_in()
{
    if (version_ == record_.guests_version())
        return;
    std::vector<std::shared_ptr<loop_guest>> guests;
    const std::size_t version = record_.guests(guests);
    const auto is_gone = [&](const std::unique_ptr<bell>& each) {
        return std::find(guests.begin(), guests.end(), each->guest) == guests.end();
    };
    bells_.erase(std::remove_if(bells_.begin(), bells_.end(), is_gone), bells_.end());
    for (const auto& each : guests)
    {
        if (std::none_of(
                bells_.begin(), bells_.end(), [&](const auto& one) { return one->guest == each; }))
            bells_.push_back(std::make_unique<bell>(loop_, each));
    }
    version_ = version;
}

// Whether a handler or a guest has added or removed one: what is known here may be gone.
bool hosting_run::is_outdated() const
{
    return version_ != record_.guests_version();
}

// Begins what is no work of the loop's, until its handler calls what `begin` is given: where another thread lets go of the
// last work meanwhile, the run ends. Nor is that handler one of anybody's.
template <class Begin>
void hosting_run::without_work(Begin begin)
{
    const auto executor = loop_.get_executor();
    begin([executor] {
        executor.on_work_started();
        count_as_probe();
    });
    executor.on_work_finished();
}

void hosting_run::arm()
{
    for (const auto& each : bells_)
    {
        if (std::exchange(*each->armed, true))
            continue;
        without_work([&](auto begun) {
            each->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                [begun, armed = each->armed](const error_code&) {
                    begun();
                    *armed = false;
                });
        });
    }
}

// As Asio's functions, which count what Asio does for itself on io_uring: there, what is begun has to be handed on.
std::size_t hosting_run::run_next(bool poll)
{
    const bool own = next_of(loop_) == next_operation::own;
    const std::size_t one = poll ? loop_.poll_one() : loop_.run_one();
    if (own && one > 0)
        count_as_probe();
    return one;
}

// Runs a handler that is ready, if there is one. As poll_one(), but that one may run a handler that came
// after a stop(): it does not ask for that once more after a look at the reactor. Whether one ran.
bool hosting_run::look(std::size_t& all, bool poll)
{
    if (poll) // which must not block, whoever else runs the loop
    {
        all = run_next(poll);
        return all > 0;
    }
    if (next_of(loop_) == next_operation::none)
    {
        loop_mark::put(mark_, loop_);
        all = loop_.run_one();
        if (mark_->is_out())
            return all > 0;
        if (next_of(loop_) == next_operation::none)
            return false;
    }
    const std::size_t one = run_next(false);
    all += one;
    return one > 0;
}

bool hosting_run::has_work() const
{
    return std::any_of(
        bells_.begin(), bells_.end(), [](const auto& each) { return each->guest->has_work(); });
}

hosting_run::turn hosting_run::run_one(const std::optional<loop_clock::time_point>& deadline)
{
    // The last handler may give work to a guest.
    if (!work_)
        work_.emplace(loop_.get_executor());
    turn done;
    const bool poll = deadline == loop_clock::time_point::min();
    const bool ran = look(done.handlers, poll);
    done.idle = !ran;
    if (loop_.stopped()) // by somebody, for there is work: guests have no turn after that
    {
        if (!has_work())
            work_.reset();
        return done;
    }
    if (is_outdated() || (ran && ++record_.handlers_since_guests < most_handlers))
        return done;
    record_.handlers_since_guests = 0;
    bool busy = false;
    for (const auto& each : bells_)
    {
        busy = each->guest->run_ready() || busy;
        if (is_outdated())
            return done;
    }
    if (!has_work())
        work_.reset();
    if (ran || busy || loop_.stopped() || poll)
        return done;
    std::optional<std::chrono::milliseconds> most;
    for (const auto& each : bells_)
    {
        if (const auto its = each->guest->prepare())
            most = std::min(most.value_or(*its), *its);
    }
    if (most && most->count() <= 0) // its turn comes again, with no sleep to prepare
        return done;
    arm();
    std::optional<loop_clock::time_point> until = deadline;
    if (most)
        until = std::min(deadline.value_or(loop_clock::time_point::max()),
            std::chrono::steady_clock::now() + *most);
    if (until)
        wake_at(*until);
    const auto go_on = [this] { // the loop's last handler may have given work to a guest
        if (loop_.stopped() && has_work())
            record_.go_on_without_work();
    };
    try
    {
        const std::size_t last = run_next(false);
        if (last > 0)
            go_on();
        done.handlers += last;
        return done;
    }
    catch (...)
    {
        go_on();
        throw;
    }
}

// By a timer: Asio's functions that wait for a time run a handler that came after a stop().
void hosting_run::wake_at(loop_clock::time_point at)
{
    // One that is set to a later time ends by a handler, which ends this wait; an earlier one ends it a little early.
    if (*timer_armed_ && timer_.expiry() <= at)
        return;
    timer_.expires_at(at);
    *timer_armed_ = true;
    without_work([&](auto begun) {
        timer_.async_wait([begun, armed = timer_armed_](const error_code& ec) {
            begun();
            if (ec != asio::error::operation_aborted)
                *armed = false;
        });
    });
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
