// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_HPP
#define LOOPS_POLICY_HPP

#include <loops/config.hpp>
#include <loops/event_loop.hpp>
#include <loops/lease.hpp>
#include <loops/loop_watch.hpp>
#include <loops/task.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

class child_watcher;
class runner;
class wrapping_policy;

namespace detail {
struct run_frame;
class policy_core;
} // namespace detail

/// What new work is like, for a policy that chooses by it. Empty: just some work.
struct selection
{
    /// Work with equal keys belongs together. Hash your own key into it.
    std::optional<std::uint64_t> key;
    /// The CPU on which the work arrived, as `SO_INCOMING_CPU` tells.
    std::optional<unsigned> cpu;
};

/// Makes a loop; a policy calls it wherever it needs one.
using loop_factory = std::function<std::unique_ptr<event_loop>()>;

/// What a policy does with an exception that leaves a handler on a thread that the policy runs.
class LOOPS_DECL exception_action
{
public:
    /// Keeps the first exception, stops the policy's threads, and rethrows it from `join()`.
    exception_action() = default;

    /// Calls `handler` on the thread, which then goes on with its loop.
    static exception_action call(std::function<void(std::exception_ptr)> handler);

    /// Calls `std::terminate`.
    static exception_action terminate();

private:
    friend class detail::policy_core;
    std::function<void(std::exception_ptr)> handler_;
};

/// What a drain left behind.
struct drain_report
{
    /// How one loop ended.
    struct loop
    {
        /// The loop's name.
        std::string name;
        /// Whether work was left on it when the deadline came.
        bool busy = false;
        /// The load of the leases and tasks that were still there.
        std::int64_t load = 0;
    };

    /// Whether every loop ran out of work in time.
    bool complete = true;
    /// From the call to the end of the last thread.
    std::chrono::nanoseconds elapsed{};
    /// The loops that the policy ran, in the order of their making.
    std::vector<loop> loops;
};

/// Answers which loop a piece of code uses, makes loops, and runs those that it runs itself.
///
/// Derive from it, or from one of the policies in `loops/policy/`, and override what is to change.
/// Own a policy by `std::shared_ptr`: a loop that runs through Loops keeps its policy alive.
///
/// @par Thread safety
/// All members but the destructor may be called concurrently.
class LOOPS_DECL event_loop_policy : public std::enable_shared_from_this<event_loop_policy>
{
public:
    event_loop_policy(const event_loop_policy&) = delete;
    event_loop_policy& operator=(const event_loop_policy&) = delete;

    virtual ~event_loop_policy();

    /// What the policy is called in messages and in `make_policy()`.
    virtual std::string name() const = 0;

    /// Gives the current loop of the calling context of use, and may make it.
    /// @throws system_error with `error::no_current_event_loop` or `error::policy_closed`.
    virtual asio::io_context& get_event_loop() = 0;

    /// Gives the current loop of the calling context of use if there is one; makes none.
    virtual asio::io_context* existing_event_loop() noexcept = 0;

    /// Makes `loop` current for the calling context of use; null empties the slot.
    /// @throws system_error with `error::loop_closed` for a closed loop; with `error::policy_closed`; with
    /// `operation_not_supported` where the policy has a loop of its own here; or as the policy says.
    virtual void set_event_loop(asio::io_context* loop) = 0;

    /// Makes a loop by the factory; nothing becomes current. The caller owns it.
    /// @throws What the factory throws, and `invalid_argument` when that returns null.
    virtual std::unique_ptr<event_loop> new_event_loop();

    /// Chooses a loop for new work.
    ///
    /// A policy without a choice gives the current loop; that is the running one where the
    /// calling thread is inside of a loop.
    /// @throws As get_event_loop().
    virtual asio::io_context& select_event_loop(const selection& what = {});

    /// Chooses a loop for new work and counts the work there until the lease is released.
    /// @throws As select_event_loop() and lease's constructor.
    lease acquire(const selection& what = {}, std::int64_t weight = 1);

    /// Calls `visit` for each loop among which the policy spreads work, in the order of their making:
    /// all loops of a policy that runs several by threads of its own, which it starts if they never
    /// were; else the current loop.
    ///
    /// @param visit Called here, without a lock; may use the loop and the policy.
    /// @throws As get_event_loop(), and what `visit` throws.
    virtual void for_each_loop(const std::function<void(asio::io_context&)>& visit);

    /// Sets what makes the policy's loops from now on; an empty one puts the default back.
    virtual void set_loop_factory(loop_factory factory);

    /// Sets what starts the tasks of `loops::spawn()`; an empty one puts the default back, which
    /// starts each at once. Where a wrapping policy has a rule of its own for tasks, those that it
    /// lets start come here.
    void set_task_factory(task_factory factory);

    /// What starts the tasks of `loops::spawn()`; empty for the default.
    virtual task_factory get_task_factory() const;

    /// Sets what becomes of exceptions that leave handlers on threads that the policy runs.
    void on_exception(exception_action action);

    /// Watches every loop that the policy made or runs, present and future, until the policy is
    /// closed or destroyed, or unwatch_loops(); a second call replaces the first. In a forked child the
    /// watch begins with the first loop that the policy makes there.
    ///
    /// A loop that does not answer in time is reported, with the cause. One that has no work, that is
    /// stopped, or that waits for something to do, is not. See loop_watch for how loops are asked; one
    /// whose concurrency hint forbids that is left out.
    ///
    /// @throws system_error with `error::policy_closed`, or as loop_watch's constructor; the former watch
    /// goes on then.
    void watch_loops(loop_watch_options options = {});

    /// Ends the watch. Without one: nothing.
    void unwatch_loops();

    /// Turns the counters of every loop that the policy made on or off, of present and future ones.
    /// See loops::collect_stats().
    ///
    /// @throws system_error with `error::policy_closed`, or where the thread that asks the loops for
    /// their lag cannot be started.
    void collect_stats(bool on = true);

    /// Gives the policy's child watcher; makes the best that works here at the first call.
    /// @throws system_error with `operation_not_supported` where the policy cannot watch children.
    virtual std::shared_ptr<child_watcher> get_child_watcher();

    /// Replaces the policy's child watcher and closes the one before; null makes the next
    /// get_child_watcher() make a fresh one.
    virtual void set_child_watcher(std::shared_ptr<child_watcher> watcher);

    /// Starts the threads that the policy runs its loops by. Started already, or none of its own:
    /// nothing.
    /// @throws system_error where a thread cannot be started; none is left then.
    virtual void start();

    /// Runs the policy's loops until they are stopped or drained: those that callers run on the
    /// calling thread, and its own on threads of its own, for which it then waits.
    ///
    /// @throws What left a handler (see exception_action); system_error with
    /// `error::already_running` from inside of one of its loops.
    void run();

    /// Makes run() return, and the policy's threads end, as soon as their present handlers have.
    virtual void stop();

    /// Waits until the policy's threads have ended.
    ///
    /// @throws The first exception that left a handler, once, where that is the exception_action;
    /// system_error with `error::already_running` from inside of one of the threads.
    virtual void join();

    /// Lets the work there is end, then stops; waits for it. From the call until the next run or
    /// start, a policy that chooses among loops refuses to: `error::policy_closed`.
    ///
    /// The functions given to on_drain() are called first: close acceptors there. Loops that hand
    /// work to each other are kept reachable until all of them are out of work.
    ///
    /// @param limit When to stop all the same.
    /// @throws system_error with `error::already_running` from inside of one of the threads.
    virtual drain_report drain(std::chrono::nanoseconds limit);

    /// Adds a function that drain() calls, on its own thread, before it waits.
    void on_drain(std::function<void()> function);

    /// run(), with drain() at the first SIGINT or SIGTERM, and stop() at the second.
    ///
    /// The signals' former dispositions are back when it returns.
    ///
    /// @param limit The drain's limit.
    /// @return The drain's report; where the policy was stopped otherwise, an empty one.
    /// @throws As run().
    drain_report run_until_signal(std::chrono::nanoseconds limit = std::chrono::seconds(10));

    /// Closes the policy: ends and joins its threads, then closes the loops that it keeps, the
    /// youngest first, and its child watcher. Loops from new_event_loop() stay their owners'.
    ///
    /// Twice is nothing.
    ///
    /// @throws system_error with `error::already_running` from inside of one of the policy's
    /// loops, or where a caller runs one; everything is then as before.
    virtual void close();

    /// Whether close() was called.
    bool is_closed() const noexcept;

protected:
    event_loop_policy();

    /// Makes a policy that shares threads, exceptions, drains and closing with another, to which
    /// they belong. For wrapping_policy.
    explicit event_loop_policy(std::shared_ptr<detail::policy_core> of_another);

    /// The second half of run(), after start(): by default runs the current loop on the calling
    /// thread; policies with threads of their own wait for those.
    /// @param since What tells a stop() or drain() that came before the loop runs.
    virtual void run_started(std::uint64_t since);

    /// Makes a loop that the caller runs, for a runner: by default new_event_loop(). A policy whose
    /// new loops are run by threads of its own overrides it.
    virtual std::unique_ptr<event_loop> new_callers_loop();

    /// Whether get_event_loop() depends on nothing but the calling thread, and gives the same loop
    /// until set_event_loop(), close() or the loop's death; answers are then remembered.
    ///
    /// A policy that derives from one of Loops' and overrides get_event_loop() is asked each time
    /// unless it overrides this as well.
    virtual bool current_is_thread_bound() const noexcept;

    /// The running loop, where the calling thread is inside of one and entered no policy_scope
    /// there; else get_event_loop().
    asio::io_context& current_or_running_loop();

    /// @throws system_error with `error::policy_closed` once the policy is closed.
    void check_open(const char* attempted) const;

    /// Makes a loop by the factory and ties it to this policy.
    /// @param hint The concurrency hint for the default factory; a set factory owns its own.
    std::unique_ptr<event_loop> make_loop(
        const std::string& loop_name = {}, std::optional<int> hint = std::nullopt);

    /// The machinery for threads, exceptions and drains; shared with the threads themselves.
    const std::shared_ptr<detail::policy_core>& core() const noexcept { return core_; }

private:
    friend LOOPS_DECL asio::io_context& get_event_loop();
    friend class runner;
    friend class wrapping_policy;
    friend LOOPS_DECL void set_event_loop_policy(std::shared_ptr<event_loop_policy> policy);

    const std::shared_ptr<detail::policy_core> core_;
    const bool owns_core_;
};

/// Gives the policy that answers for this thread: that of the innermost policy_scope, else the
/// process's, which is made at first use: by `LOOPS_POLICY` from the environment, in the words of
/// make_policy(), else a default_policy.
///
/// @return Never null; the same object until it is replaced.
/// @throws system_error when `LOOPS_POLICY` is not understood.
LOOPS_DECL std::shared_ptr<event_loop_policy> get_event_loop_policy();

/// Replaces the process's policy. Safe while loops run.
///
/// The old policy is dropped, not closed: its loops stay usable for the threads that have them,
/// and threads that the policy itself runs go on until their loops are out of work.
///
/// @param policy The new one; null puts a fresh default_policy there.
LOOPS_DECL void set_event_loop_policy(std::shared_ptr<event_loop_policy> policy);

/// Makes a policy the one that answers for the constructing thread, until the scope ends.
///
/// Scopes nest, and restore exactly what was there. They belong on the stack of one thread.
class LOOPS_DECL policy_scope
{
public:
    /// @throws system_error with `invalid_argument` for a null policy.
    explicit policy_scope(std::shared_ptr<event_loop_policy> policy);

    policy_scope(const policy_scope&) = delete;
    policy_scope& operator=(const policy_scope&) = delete;

    ~policy_scope();

    /// The scope's policy.
    const std::shared_ptr<event_loop_policy>& policy() const noexcept { return policy_; }

    /// @cond
    policy_scope* outer() const noexcept { return outer_; }
    const detail::run_frame* entered_in() const noexcept { return entered_in_; }
    /// @endcond

private:
    std::shared_ptr<event_loop_policy> policy_;
    policy_scope* outer_;
    const detail::run_frame* entered_in_;
};

/// Asks the policy of this thread to choose a loop for new work: a connection, a key, a CPU.
/// Policies without a choice give the current loop.
/// @throws As event_loop_policy::select_event_loop().
LOOPS_DECL asio::io_context& select_event_loop(const selection& what = {});

/// The same, giving null and an error code where select_event_loop() throws.
LOOPS_DECL asio::io_context* try_select_event_loop(const selection& what, error_code& ec);

/// The typed executor of the loop that the policy of this thread selects: what to hand to an I/O
/// object or to `async_accept`.
/// @throws As select_event_loop().
inline asio::io_context::executor_type get_executor(const selection& what = {})
{
    return select_event_loop(what).get_executor();
}

/// A selection that counts, by the policy of this thread. See lease.
/// @throws As event_loop_policy::acquire().
LOOPS_DECL lease acquire(const selection& what = {}, std::int64_t weight = 1);

/// The child watcher of this thread's policy. See event_loop_policy::get_child_watcher().
LOOPS_DECL std::shared_ptr<child_watcher> get_child_watcher();

/// Replaces the child watcher of this thread's policy, closing the one before; null resets.
LOOPS_DECL void set_child_watcher(std::shared_ptr<child_watcher> watcher);

} // namespace LOOPS_ABI
} // namespace loops

#endif
