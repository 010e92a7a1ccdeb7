// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_CONTRACT_POLICY_SUITE_HPP
#define LOOPS_TEST_CONTRACT_POLICY_SUITE_HPP

#include <loops/event_loop.hpp>
#include <loops/policy.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/policy/threaded_policy.hpp>

#include <memory>
#include <tuple>

namespace test {

// A kind of policy for the contract suite: how one is made, and what the contract says of it.
struct default_kind
{
    static constexpr bool runs_its_loops = false; // by threads of its own, without run()
    static constexpr bool one_for_all_threads = false;
    static std::shared_ptr<loops::event_loop_policy> make()
    {
        return std::make_shared<loops::default_policy>();
    }
};

struct shared_kind
{
    static constexpr bool runs_its_loops = false;
    static constexpr bool one_for_all_threads = true;
    static std::shared_ptr<loops::event_loop_policy> make()
    {
        return std::make_shared<loops::shared_policy>(2);
    }
};

struct threaded_kind
{
    static constexpr bool runs_its_loops = true;
    static constexpr bool one_for_all_threads = false;
    static std::shared_ptr<loops::event_loop_policy> make()
    {
        return std::make_shared<loops::threaded_policy>();
    }
};

struct pool_kind
{
    static constexpr bool runs_its_loops = true;
    static constexpr bool one_for_all_threads = false;
    static std::shared_ptr<loops::event_loop_policy> make()
    {
        return std::make_shared<loops::pool_policy>(2);
    }
};

struct least_loaded_pool_kind : pool_kind
{
    static std::shared_ptr<loops::event_loop_policy> make()
    {
        return std::make_shared<loops::pool_policy>(3, loops::least_loaded);
    }
};

using all_kinds =
    std::tuple<default_kind, shared_kind, threaded_kind, pool_kind, least_loaded_pool_kind>;

} // namespace test

#endif
