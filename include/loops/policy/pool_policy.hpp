// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_POOL_POLICY_HPP
#define LOOPS_POLICY_POOL_POLICY_HPP

#include <loops/backend.hpp>
#include <loops/policy.hpp>
#include <loops/policy/chooser.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
struct pool_roster;
} // namespace detail

/// To which CPUs a pool binds its threads, out of those that the process may use.
enum class pinning
{
    /// To none: the system places them.
    none,
    /// Thread after thread to one CPU after the other.
    compact,
    /// As far from each other as the number of CPUs allows.
    spread,
};

/// How a pool is made.
struct pool_options
{
    /// How many loops, and threads; at least 1. pool_policy::resize() changes it.
    std::size_t threads = available_parallelism();
    /// What chooses the loop for new work.
    loops::chooser chooser = round_robin;
    /// Loops and threads are called this, a dash and their index.
    std::string name = "pool";
    /// Whether threads are bound to CPUs.
    pinning pin = pinning::none;
    /// Called on each thread before it runs its loop, with the thread's index. The loop is the
    /// thread's current one there. What it throws makes the start fail.
    std::function<void(std::size_t)> on_thread_start;
    /// Called on each thread after it ran its loop, which is still the thread's current one. What
    /// it throws is treated as what a handler throws.
    std::function<void(std::size_t)> on_thread_stop;
    /// For how long a thread whose loop has nothing to do polls it before it sleeps, counted from the
    /// last handler; 0 to most_spin. At 0 it sleeps at once.
    ///
    /// A thread that sleeps takes tens of microseconds to wake, and whoever posts to it makes a system
    /// call for that; one that polls is found awake. So spinning shortens what goes to and fro between
    /// loops, or between a loop and a fast peer, where less than this time passes from one handler to
    /// the next. It costs the CPU meanwhile: at the most this time for each time that the loop runs
    /// out of handlers, and nothing once the thread sleeps. The thread gives way to others that are
    /// ready, but a CPU quota, and the battery, pay for it. `bench/hops.cpp` measures both sides.
    ///
    /// What the thread used of its CPU to poll is no part of loop_stats::cpu.
    std::chrono::nanoseconds spin{0};

    /// The longest spin: more than any hop or peer takes for which one would not rather sleep.
    static constexpr std::chrono::nanoseconds most_spin = std::chrono::seconds(1);
};

/// N loops on N threads: each loop is run by one thread, and new work is dealt to them.
///
/// Each `io_context` has the concurrency hint 1, since only its own thread may run it; any thread
/// may post to it. Inside a pool thread the current loop is that thread's own; outside, slots work
/// as in default_policy. The threads start at the first need for a loop of the pool, or by start().
class LOOPS_DECL pool_policy : public event_loop_policy
{
public:
    /// Makes a pool.
    /// @throws system_error with `invalid_argument` for no threads or an empty chooser.
    explicit pool_policy(
        std::size_t threads = available_parallelism(), chooser choose = round_robin);

    /// Makes a pool by options.
    /// @throws system_error with `invalid_argument` for no threads, an empty chooser, or a spin that
    /// is negative or longer than pool_options::most_spin.
    explicit pool_policy(pool_options options);

    /// Stops and joins the threads; on one of them, has that done elsewhere.
    ~pool_policy() override;

    std::string name() const override;
    asio::io_context& get_event_loop() override;
    asio::io_context* existing_event_loop() noexcept override;

    /// Sets the slot of a thread outside the pool.
    /// @throws system_error with `operation_not_supported` inside a pool thread.
    void set_event_loop(asio::io_context* loop) override;

    /// Makes a loop outside the pool, which its caller runs.
    std::unique_ptr<event_loop> new_event_loop() override;

    /// Chooses a loop of the pool; starts the pool if that was never started.
    /// @throws system_error with `error::policy_closed` once the pool is closed, and from a stop,
    /// a drain or an exception that stopped it until the next start; with `invalid_argument` where
    /// the chooser gives an index that is no open loop's.
    asio::io_context& select_event_loop(const selection& what = {}) override;

    /// Visits the pool's loops, in the order of their indices; starts the pool if it never was.
    void for_each_loop(const std::function<void(asio::io_context&)>& visit) override;

    /// @throws system_error with `error::already_running` once the pool's loops are made.
    void set_loop_factory(loop_factory factory) override;

    /// Starts the threads that are not there: all of them, or that of a loop which
    /// `io_context::stop()` has stopped. A stop or drain that is under way is waited for. On one of
    /// the threads: nothing.
    /// @throws system_error where a thread cannot be started or pinned; none is left then; with
    /// `error::policy_closed` once the pool is closed.
    void start() override;

    void close() override;

    /// Changes how many loops, and threads, the pool has; while it runs, or before it is started.
    ///
    /// A pool that grows has its new threads running when this returns. One that shrinks gives out its
    /// last loops no more: each of these keeps what it has, and its thread ends once there is no work on it,
    /// no task and no lease, a second later at the earliest. Hold a lease, or give it work within that time, where you
    /// keep an executor of a loop: what is posted to a loop that has left and is empty runs when the pool
    /// has grown to it again. What chose loops before does not move: a `listening_group` has the loops of
    /// its start. pool_options::on_thread_start is called before the pool has grown.
    ///
    /// With by_key, of the keys about 1/(n+1) move where n loops become n+1, and back again where one goes.
    ///
    /// @param threads How many; at least 1.
    ///
    /// @throws system_error with `invalid_argument` for 0; with `error::policy_closed`; from one of the
    /// pool's own threads with `error::already_running`, while another thread starts, resizes or closes it;
    /// where a thread cannot be started or pinned. The pool is as before then.
    void resize(std::size_t threads);

    /// How many loops the pool has; without those that have left it.
    std::size_t size() const noexcept;

    /// One of the pool's loops; starts the pool if need be. It lives until the pool is closed.
    /// @throws system_error with `invalid_argument` for an index that is none's.
    asio::io_context& loop(std::size_t index);

    /// The CPU to which a loop's thread is bound; none where it is bound to none. Starts the pool if
    /// need be.
    /// @throws system_error with `invalid_argument` for an index that is none's.
    std::optional<unsigned> cpu(std::size_t index);

protected:
    void run_started(std::uint64_t since) override;
    bool current_is_thread_bound() const noexcept override;

private:
    void need_threads(const char* attempted);
    const detail::pool_roster& roster(const char* attempted);
    void grow(std::size_t size);
    void shrink(std::size_t size);
    void leave(std::size_t size);

    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
