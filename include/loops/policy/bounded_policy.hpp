// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_POLICY_BOUNDED_POLICY_HPP
#define LOOPS_POLICY_BOUNDED_POLICY_HPP

#include <loops/policy/wrapping_policy.hpp>

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
struct task_bound;
} // namespace detail

/// As the policy it wraps, with a bound on spawned tasks: on each loop at most so many run at a time,
/// others wait for their turn, in the order in which they were spawned; and where too many wait
/// already, the next one completes with `error::queue_full`.
///
/// It holds for tasks that are spawned (`loops::spawn()`) where this is the policy of the calling
/// thread, on whichever loop of whichever policy they run. A task runs from its start to its
/// completion. What is let start is passed on to the task factory of the wrapped policy: that of
/// another bound, or yours. Tasks on executors that belong to no loop (a thread pool's, the system
/// executor) are not bounded. Handlers that are posted, and coroutines started by `co_spawn`, are not
/// seen.
///
/// A waiting task that is cancelled, or that a finishing runner asks to end, makes room at once and
/// completes with `operation_aborted`; the order of the others stays. Tasks that wait when their loop
/// is closed or destroyed end with it: completions on the executors of other loops hear
/// `error::loop_closed`. Neither closing nor dropping the policy ends tasks on loops that it does not
/// keep: those go on, and the waiting ones have their turn.
///
/// A task that spawns another one under the same bound and waits for it can wait for ever: with all
/// places taken by such tasks none ends, and what they wait for never starts. Spawn such tasks by
/// `loops::try_spawn()`, which refuses instead of waiting:
/// @code
/// asio::awaitable<void> answer(std::string name) // spawned under a bound of 10
/// {
///     // With ten of these at work, spawn() would have all ten wait here for ever.
///     const auto [failure, found] =
///         co_await loops::try_spawn(look_up(name), asio::as_tuple(asio::use_awaitable));
///     if (failure)
///         co_await look_up(name); // as a part of this task
/// }
/// @endcode
///
/// @par Complexity
/// Spawning, starting, ending and cancelling take constant time, whatever number waits. A task under
/// a bound costs three small allocations, one that waits one more; and the lock of its loop's record,
/// which tasks take anyway, so that loops do not wait for each other.
class LOOPS_DECL bounded_policy : public wrapping_policy
{
public:
    /// How many tasks may wait on each loop unless said otherwise: a burst, but no backlog that
    /// takes long to work off. A waiting task holds about half a kilobyte, and what it was given.
    static constexpr std::size_t default_most_waiting = 1024;

    /// Wraps a policy.
    ///
    /// @param inner The policy that maps to loops.
    /// @param most_tasks How many tasks run at a time on each loop; at least 1.
    /// @param most_waiting How many more may wait on each loop; with 0 none does.
    ///
    /// @throws system_error with `invalid_argument` for a null policy, or no tasks.
    explicit bounded_policy(std::shared_ptr<event_loop_policy> inner, std::size_t most_tasks,
        std::size_t most_waiting = default_most_waiting);

    ~bounded_policy() override;

    std::string name() const override;

    /// What bounds the tasks of `loops::spawn()`. It outlives the policy.
    task_factory get_task_factory() const override;

    /// How many tasks may run at a time on each loop.
    std::size_t most_tasks() const noexcept;

    /// How many tasks may wait on each loop.
    std::size_t most_waiting() const noexcept;

    /// How many tasks under this bound run on a loop: they have started, and not ended.
    std::size_t running(asio::io_context& loop) const;

    /// How many tasks wait for their start on a loop.
    std::size_t waiting(asio::io_context& loop) const;

private:
    // Shared with the tasks. No pointer to a policy: what waits on a loop must not keep the loop.
    const std::shared_ptr<const detail::task_bound> bound_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
