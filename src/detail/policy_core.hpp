// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_POLICY_CORE_HPP
#define LOOPS_SRC_DETAIL_POLICY_CORE_HPP

#include <loops/policy.hpp>

#include "detail/crew.hpp"

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What every policy has, whatever it maps to what.
class policy_core
{
public:
    policy_core();

    // Set from outside, read by anybody: guarded by the mutex.
    mutable std::mutex mutex;
    loop_factory factory;
    task_factory tasks;
    exception_action action;
    std::vector<std::function<void()>> drain_hooks;
    std::shared_ptr<child_watcher> watcher;
    unsigned watcher_generation = 0; // the fork generation it belongs to

    std::atomic<bool> closed{false};
    std::atomic<bool> draining{false};

    // The threads that run the policy's loops, and callers inside of run().
    const std::shared_ptr<crew> threads;

private:
    bool excepted(const std::exception_ptr& exception) const;
};

// Stops and joins the threads and destroys `loops`, the youngest first; where the calling thread
// is one of them, on another thread, which the process waits for when it ends.
void tear_down(std::shared_ptr<policy_core> core, std::vector<std::unique_ptr<event_loop>> loops);

// Lets the threads of a policy that nobody holds any more run out of work, then destroys it.
void retire_later(std::shared_ptr<event_loop_policy> policy, std::shared_ptr<crew> threads);

// Made by the watcher layer, and named here so that a static library keeps it: the best watcher
// that works on this machine.
std::shared_ptr<child_watcher> make_default_child_watcher();

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
