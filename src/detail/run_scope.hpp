// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_RUN_SCOPE_HPP
#define LOOPS_SRC_DETAIL_RUN_SCOPE_HPP

#include "detail/thread_state.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// Whether a run holds its loop's policy. Threads that belong to the policy do not: they must not
// be what keeps it.
enum class policy_hold
{
    keep,
    none,
};

// Records a run of a loop on this thread while it lives.
class run_scope
{
public:
    // Throws already_running inside of the same loop or beside its only runner, or loop_closed.
    explicit run_scope(asio::io_context& loop, policy_hold hold = policy_hold::keep);

    run_scope(const run_scope&) = delete;
    run_scope& operator=(const run_scope&) = delete;

    ~run_scope();

    loop_record& record() const noexcept { return *frame_.record; }

private:
    // Declared first: the policy goes last, and may take the loop with it.
    std::shared_ptr<event_loop_policy> policy_;
    run_frame frame_;
};

// Keeps a run from ending for want of work, also where the runs before have ended for that.
// Declared inside of the run's scope.
class work_hold
{
public:
    explicit work_hold(loop_record& record);

    work_hold(const work_hold&) = delete;
    work_hold& operator=(const work_hold&) = delete;

    ~work_hold();

private:
    loop_record& record_;
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
};

// How many handlers a run executes at the most.
enum class run_mode
{
    one,
    all,
};

// Runs handlers without recording the run: for use inside of a run_scope. Obeys what is set on a
// loop of ours: its exception handler, its debug mode. No deadline: waits for ever, and polls for `spin`
// after each handler before it does.
std::size_t drive(loop_record& record, run_mode mode,
    std::optional<std::chrono::steady_clock::time_point> deadline = std::nullopt,
    std::chrono::nanoseconds spin = std::chrono::nanoseconds(0));

// Has the runs of the loop that are under way look anew at how it is to be run.
void leave_untimed_runs(const std::shared_ptr<loop_record>& record) noexcept;

// Turns the counting of what runs do on or off, for runs that are under way as well.
void count_runs(const std::shared_ptr<loop_record>& record, bool on);

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
