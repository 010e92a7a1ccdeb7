// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_TASK_LANE_HPP
#define LOOPS_SRC_DETAIL_TASK_LANE_HPP

#include <loops/detail/bound_fsm.hpp>
#include <loops/task.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class loop_record;
class task_lane;

// A bound for the tasks of each loop. Its address tells it from others.
struct task_bound
{
    std::size_t most_tasks;
    std::size_t most_waiting;
};

struct task_counts
{
    std::size_t running = 0;
    std::size_t waiting = 0;
};

// A task's place in its lane, which it has from its arrival to its end: until it was told of that,
// or is destroyed with its loop.
class task_place : public boost::intrusive::list_base_hook<>
{
public:
    explicit task_place(std::shared_ptr<task_lane> lane) noexcept : lane_(std::move(lane)) {}

    task_place(const task_place&) = delete;
    task_place& operator=(const task_place&) = delete;

    ~task_place() { leave(); }

    static void take(const std::shared_ptr<task_place>& self, task what, const task_factory& next);

    // The task has ended.
    void leave() noexcept;

    // The task is to end without having started.
    void withdraw();

    // The lane is locked, and the place waits: gives what waited, and takes that out of the queue.
    struct waiter
    {
        std::shared_ptr<task_place> place;
        std::optional<task> what;
        task_factory next;
    };
    waiter take_out() noexcept;

private:
    friend class task_lane;

    enum class state
    {
        arriving,
        waiting,
        running,
        gone,
    };

    void wait_locked(const std::shared_ptr<task_place>& self, task what) noexcept;

    const std::shared_ptr<task_lane> lane_;
    state state_ = state::arriving;
    waiter waiting_; // owns itself while it waits
};

// The tasks of one loop under one bound. There is one while there are such tasks: they own it. All
// of a loop's are guarded by the mutex of its record, so that loops do not wait for each other.
class task_lane : public boost::intrusive::list_base_hook<>,
                  public std::enable_shared_from_this<task_lane>
{
public:
    // Starts a task through `next`, now or when its turn comes, or refuses it.
    static void take(
        const std::shared_ptr<const task_bound>& bound, task what, const task_factory& next);

    static task_counts count(const task_bound& bound, asio::io_context& loop);

    // The loop is going: refuses what waits there.
    static void refuse_waiting(loop_record& loop) noexcept;

    task_lane(std::shared_ptr<loop_record> loop, std::shared_ptr<const task_bound> bound);
    task_lane(const task_lane&) = delete;
    task_lane& operator=(const task_lane&) = delete;
    ~task_lane();

private:
    friend class task_place;

    static task_lane* find_locked(loop_record& loop, const task_bound& bound) noexcept;
    static std::shared_ptr<task_lane> find_or_make(
        asio::io_context& loop, const std::shared_ptr<const task_bound>& bound);

    std::mutex& mutex() noexcept;
    bound_fsm& fsm_locked() noexcept;
    void start_waiting(std::unique_lock<std::mutex>& lock) noexcept;

    const std::shared_ptr<loop_record> loop_;
    const std::shared_ptr<const task_bound> bound_;
    bound_fsm fsm_;
    unsigned generation_; // of forks: a starter of the parent's is not there in the child
    boost::intrusive::list<task_place, boost::intrusive::constant_time_size<false>> queue_;
};

using task_lanes = boost::intrusive::list<task_lane, boost::intrusive::constant_time_size<false>>;

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
