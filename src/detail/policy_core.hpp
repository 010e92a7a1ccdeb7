// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_POLICY_CORE_HPP
#define LOOPS_SRC_DETAIL_POLICY_CORE_HPP

#include <loops/loop_watch.hpp>
#include <loops/policy.hpp>

#include "detail/crew.hpp"
#include "detail/fork_local.hpp"

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class watch;

// What every policy has, whatever it maps to what.
class policy_core
{
public:
    policy_core();

    // No two cores have the same, of one after the other neither.
    const std::uint64_t number;

    // Set from outside, read by anybody: guarded by the mutex.
    mutable fork_mutex mutex;
    loop_factory factory;
    task_factory tasks;
    exception_action action;
    std::vector<std::function<void()>> drain_hooks;
    std::shared_ptr<child_watcher> watcher;
    unsigned watcher_generation = 0; // the fork generation it belongs to
    // What is done to each loop that is made, before anybody has it.
    std::vector<std::function<void(asio::io_context&)>> furnishers;

    std::atomic<bool> closed{false};
    // The process had the policy, and has another one now.
    std::atomic<bool> retired{false};

    // The threads that run the policy's loops, and callers inside of run(). A forked child gets
    // new ones: the parent's are not there.
    const std::shared_ptr<crew>& threads() const { return threads_.get(); }

    // Calls the functions that were given for a drain.
    void prepare_drain() const;

    // Watches, or counts for, the loops that the policy has made and those that it will. A second
    // watch replaces the first; none ends it.
    void watch_loops(std::optional<loop_watch_options> options);
    void collect_stats(bool on);
    void end_watches() noexcept;

    // The policy has made a loop.
    void add_loop(const std::shared_ptr<loop_record>& loop);

    // Set by the first destructor that tears down, the most derived one's.
    bool torn_down = false;

private:
    std::shared_ptr<crew> make_crew() const;
    bool excepted(const std::exception_ptr& exception) const;

    void replace(std::shared_ptr<watch>& which, std::shared_ptr<watch> with);

    std::shared_ptr<watch> watch_;
    std::shared_ptr<watch> lag_watch_; // while stats are collected
    const fork_local<crew> threads_;
};

// Stops and joins the threads, closes the watcher and ends `loops`, the youngest first. Where the
// calling thread is one of them, that is done on another thread, which the process waits for when
// it ends; and so it is where the policy has been replaced and its loops still have work to end.
void tear_down(
    const std::shared_ptr<policy_core>& core, std::vector<std::unique_ptr<event_loop>> loops);

// Destroys a loop that a policy keeps. In a forked child the parent's is left behind; and one that
// somebody runs at this moment is left to him. Says so in the log, and also where `on_demand` is
// set and the loop has work that nobody ran.
void end_loop(std::unique_ptr<event_loop> loop, bool on_demand) noexcept;

// The same for several, the youngest first.
void end_loops(std::vector<std::unique_ptr<event_loop>>& loops, bool on_demand) noexcept;

// Made by the watcher layer, and named here so that a static library keeps it: the best watcher
// that works on this machine.
std::shared_ptr<child_watcher> make_default_child_watcher();

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
