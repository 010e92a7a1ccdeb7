// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// The runs of a loop that Loops makes: when they may begin, and what they leave behind.

#include <loops/error.hpp>

#include "detail/fork.hpp"
#include "detail/loop_record.hpp"
#include "detail/parking_gate.hpp"
#include "platform/system.hpp"

#include <chrono>
#include <thread>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

constexpr std::chrono::milliseconds patience_with_callers(100);

} // namespace

// In a forked child, the threads that ran it stayed in the parent.
bool loop_record::has_runs_here() const noexcept
{
    return usage.size() > 0 && runners_generation_ == fork_generation();
}

void loop_record::enter(run_frame& run)
{
    std::unique_lock<std::mutex> lock(mutex_);
    while (is_parked_here())
    {
        lock.unlock();
        wait_while_parked();
        lock.lock();
    }
    if (closed_ || context() == nullptr)
        throw_error(error::loop_closed,
            "running " + describe() + " on " + platform::describe_thread() + "; make a new loop");
    if (runners_generation_ != fork_generation())
    {
        runners_generation_ = fork_generation();
        usage.forget_runs();
    }
    if (sole_runner_ && usage.size() > 0)
        throw_error(error::already_running,
            "running " + describe() + " on " + platform::describe_thread() +
                "; it was made for one thread (concurrency hint 1), which runs it now");
    usage.begin(run);
    make_belong_here();
    let_go_of_work_ = false;
    if (usage.size() > 1)
        return;
    entered_stopped_ = context()->stopped();
    if (!entered_stopped_)
        stopped_by_user_ = out_of_work_ = false;
}

void loop_record::leave(const run_frame& run) noexcept
{
    const std::lock_guard lock(mutex_);
    if (runners_generation_ != fork_generation())
        return;
    usage.end(run);
    if (usage.size() > 0)
        return;
    asio::io_context* const loop = context();
    if (loop == nullptr)
        return;
    if (std::exchange(stopped_by_request_, false))
        loop->restart();
    else if (!entered_stopped_)
        out_of_work_ = ran_out_of_work(*loop);
}

// Asio does not tell why it stopped. Where nobody said so, a loop with work left was stopped by
// somebody.
bool loop_record::ran_out_of_work(asio::io_context& loop) const noexcept
{
    if (!loop.stopped() || stopped_by_user_)
        return false;
    if (let_go_of_work_)
        return true;
    if (!has_work(loop))
        return true;
    loop.stop();
    return false;
}

void loop_record::resume()
{
    const std::lock_guard lock(mutex_);
    asio::io_context& loop = *context();
    // Beside another run, which may be about to end, nobody has looked for the reason yet.
    const bool unsettled = usage.size() > 1 && !entered_stopped_;
    if (!loop.stopped() || !(out_of_work_ || (unsettled && ran_out_of_work(loop))))
        return;
    entered_stopped_ = out_of_work_ = false;
    loop.restart();
}

void loop_record::go_on_without_work()
{
    const std::lock_guard lock(mutex_);
    asio::io_context& loop = *context();
    if (!stopped_by_request_ && ran_out_of_work(loop))
        loop.restart();
}

void loop_record::let_go_of_work()
{
    const std::lock_guard lock(mutex_);
    let_go_of_work_ = usage.size() == 1 && !context()->stopped();
}

bool loop_record::is_running() const
{
    const std::lock_guard lock(mutex_);
    return has_runs_here();
}

void loop_record::stop_once()
{
    const std::lock_guard lock(mutex_);
    asio::io_context* const loop = context();
    if (loop == nullptr || usage.size() == 0 || loop->stopped())
        return; // a stop() of the user's is not ours to undo
    stopped_by_request_ = true;
    ++requested_stops_;
    loop->stop();
}

std::size_t loop_record::runners() const
{
    const std::lock_guard lock(mutex_);
    return has_runs_here() ? usage.size() : 0;
}

bool loop_record::is_run_by_callers() const
{
    const std::lock_guard lock(mutex_);
    return has_runs_here() && usage.has_callers();
}

std::vector<pid_type> loop_record::runner_threads() const
{
    const std::lock_guard lock(mutex_);
    return has_runs_here() ? usage.threads() : std::vector<pid_type>();
}

bool loop_record::count_runs(bool on)
{
    const std::lock_guard lock(mutex_);
    return usage.count(on);
}

loop_stats loop_record::run_stats() const
{
    loop_stats stats;
    const std::lock_guard lock(mutex_);
    usage.read(stats);
    if (!has_runs_here())
        stats.threads = 0;
    return stats;
}

bool loop_record::undo_requested_stop(std::uint64_t& seen)
{
    std::unique_lock<std::mutex> lock(mutex_);
    if (std::exchange(seen, requested_stops_) == requested_stops_ || context() == nullptr)
        return false;
    // The runs of callers end by it: each is to see it, unless a handler keeps it for long. Not by a condition
    // variable: a forked child would wait for ever to destroy one that a thread of the parent's waits for.
    const auto end = std::chrono::steady_clock::now() + patience_with_callers;
    while (stopped_by_request_ && usage.has_callers() && std::chrono::steady_clock::now() < end)
    {
        lock.unlock();
        std::this_thread::sleep_for(std::chrono::microseconds(50));
        lock.lock();
    }
    if (std::exchange(stopped_by_request_, false))
        context()->restart();
    return !stopped_by_user_;
}

std::uint64_t loop_record::requested_stops() const
{
    const std::lock_guard lock(mutex_);
    return requested_stops_;
}

void loop_record::stop()
{
    const std::lock_guard lock(mutex_);
    stopped_by_request_ = out_of_work_ = false;
    stopped_by_user_ = true;
    if (asio::io_context* const loop = context())
        loop->stop();
}

bool loop_record::is_stopped_by_user() const
{
    const std::lock_guard lock(mutex_);
    return stopped_by_user_;
}

bool loop_record::begin_close()
{
    const std::lock_guard lock(mutex_);
    if (has_runs_here())
        throw_error(error::already_running, "closing " + describe() + " on " +
                                                platform::describe_thread() +
                                                "; stop it and let its run return first");
    return !std::exchange(closed_, true);
}

bool loop_record::is_closed() const
{
    const std::lock_guard lock(mutex_);
    return closed_;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
