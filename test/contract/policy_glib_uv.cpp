// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// The contract of policies, for those that run the loops of other frameworks along.

#define LOOPS_TEST_OTHER_POLICY_KINDS
#include <loops/foreign/glib_policy.hpp>
#include <loops/foreign/uv_policy.hpp>

#include "contract/policy.cpp" // NOLINT: it is the same, for other kinds

const std::vector<test::policy_kind>& test::all_policy_kinds()
{
    policy_manners caller;
    caller.run_by_caller = true;
    policy_manners pool;
    pool.runs_its_loops = pool.chooses = true;
    static const std::vector<policy_kind> all{
        {"glib", caller, [] { return policy_pointer(new loops::glib_policy); }},
        {"glib_pool", pool,
            [] {
                return policy_pointer(
                    new loops::glib_policy(std::make_shared<loops::pool_policy>(2)));
            }},
        {"uv", caller, [] { return policy_pointer(new loops::uv_policy); }},
        {"uv_pool", pool,
            [] {
                return policy_pointer(
                    new loops::uv_policy(std::make_shared<loops::pool_policy>(2)));
            }},
    };
    return all;
}
