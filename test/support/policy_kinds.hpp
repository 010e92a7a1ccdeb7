// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_SUPPORT_POLICY_KINDS_HPP
#define LOOPS_TEST_SUPPORT_POLICY_KINDS_HPP

#include <loops/policy.hpp>
#include <loops/policy/bounded_policy.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/guest_policy.hpp>
#include <loops/policy/keyed_policy.hpp>
#include <loops/policy/platform_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/priority_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/policy/threaded_policy.hpp>
#include <loops/policy/virtual_time_policy.hpp>
#include <loops/policy/wrapping_policy.hpp>

#include "support/quiet_guest.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace test {

using policy_pointer = std::shared_ptr<loops::event_loop_policy>;

// What the contract says of a kind of policies.
struct policy_manners
{
    // run() runs the calling thread's loop on that thread.
    bool run_by_caller = false;
    // What is posted to a selected loop runs without a start() or run().
    bool runs_its_loops = false;
    // And so does what is posted to a current loop, of whatever thread.
    bool runs_current_loops = false;
    bool one_for_all_threads = false;
    // A loop lives no longer than the policy, even where a thread has it.
    bool loops_go_with_it = false;
    // Selects among loops; hence refuses to when it is drained.
    bool chooses = false;
};

// A kind of policies: how one is made, and what the contract says of it.
struct policy_kind : policy_manners
{
    std::string name;
    policy_pointer (*make)();

    policy_kind(std::string called, policy_manners manners, policy_pointer (*made_by)())
        : policy_manners(manners), name(std::move(called)), make(made_by)
    {}
};

// The contract speaks of threads: they are the keys.
inline policy_pointer keyed_by_thread(loops::run_by who)
{
    loops::keyed_options options;
    options.run_by = who;
    return std::make_shared<loops::keyed_policy<std::thread::id>>(
        [] { return std::optional(std::this_thread::get_id()); }, options);
}

inline policy_pointer pool_that_spins()
{
    loops::pool_options options;
    options.threads = 2;
    options.spin = std::chrono::microseconds(200);
    return std::make_shared<loops::pool_policy>(options);
}

// What is real in the contract, as sockets and other clocks' timers, takes real time.
inline policy_pointer in_virtual_time(policy_pointer inner)
{
    loops::virtual_time_options options;
    options.idle = std::chrono::seconds(1);
    return std::make_shared<loops::virtual_time_policy>(std::move(inner), options);
}

// One that never has anything to do.
inline policy_pointer with_guests(policy_pointer inner)
{
    return std::make_shared<loops::guest_policy>(
        "guest", [](loops::asio::io_context&) { return std::make_shared<quiet_guest>(); },
        std::move(inner));
}

// The contract is tested for these. A program may be compiled for others.
#if !defined(LOOPS_TEST_OTHER_POLICY_KINDS)
inline const std::vector<policy_kind>& all_policy_kinds()
{
    using namespace loops;
    policy_manners caller;
    caller.run_by_caller = true;
    policy_manners shared;
    shared.one_for_all_threads = shared.loops_go_with_it = true;
    policy_manners threaded;
    threaded.runs_its_loops = threaded.runs_current_loops = true;
    policy_manners pool;
    pool.runs_its_loops = pool.chooses = true;
    policy_manners keyed = caller;
    keyed.loops_go_with_it = true;
    policy_manners keyed_threads = threaded;
    keyed_threads.loops_go_with_it = keyed_threads.chooses = true;
    // A line a kind.
    static const std::vector<policy_kind> all{
        {"default", caller, [] { return policy_pointer(new default_policy); }},
        {"platform", caller, [] { return policy_pointer(new platform_policy); }},
        {"shared", shared, [] { return policy_pointer(new shared_policy(2)); }},
        {"threaded", threaded, [] { return policy_pointer(new threaded_policy); }},
        {"pool", pool, [] { return policy_pointer(new pool_policy(2)); }},
        {"pool_least_loaded", pool,
            [] { return policy_pointer(new pool_policy(3, least_loaded)); }},
        {"pool_by_key", pool, [] { return policy_pointer(new pool_policy(2, by_key)); }},
        {"pool_spin", pool, [] { return pool_that_spins(); }},
        {"bounded_shared", shared,
            [] {
                return policy_pointer(new bounded_policy(std::make_shared<shared_policy>(2), 2));
            }},
        {"bounded_pool", pool,
            [] { return policy_pointer(new bounded_policy(std::make_shared<pool_policy>(2), 1)); }},
        {"priority_default", caller,
            [] { return policy_pointer(new priority_policy(std::make_shared<default_policy>())); }},
        {"priority_pool", pool,
            [] { return policy_pointer(new priority_policy(std::make_shared<pool_policy>(2))); }},
        {"bounded_priority_pool", pool,
            [] {
                return policy_pointer(new bounded_policy(
                    std::make_shared<priority_policy>(std::make_shared<pool_policy>(2)), 64));
            }},
        {"guest", caller, [] { return with_guests(std::make_shared<loops::default_policy>()); }},
        {"guest_pool", pool, [] { return with_guests(std::make_shared<loops::pool_policy>(2)); }},
        {"virtual_time", caller,
            [] { return in_virtual_time(std::make_shared<loops::default_policy>()); }},
        {"virtual_time_pool", pool,
            [] { return in_virtual_time(std::make_shared<loops::pool_policy>(2)); }},
        {"keyed_run_by_caller", keyed, [] { return keyed_by_thread(run_by::caller); }},
        {"keyed_run_by_policy", keyed_threads, [] { return keyed_by_thread(run_by::policy); }},
    };
    return all;
}
#else
const std::vector<policy_kind>& all_policy_kinds();
#endif

// Which policy maps to loops: the innermost of those that are wrapped.
inline policy_pointer mapper_of(policy_pointer policy)
{
    while (const auto wrapping = std::dynamic_pointer_cast<loops::wrapping_policy>(policy))
        policy = wrapping->inner();
    return policy;
}

inline const policy_kind& policy_kind_of(const std::string& name)
{
    for (const policy_kind& each : all_policy_kinds())
    {
        if (each.name == name)
            return each;
    }
    throw std::runtime_error("no kind of policies is called '" + name + "'");
}

} // namespace test

#endif
