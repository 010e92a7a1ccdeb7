// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_MAKE_POLICY_HPP
#define LOOPS_MAKE_POLICY_HPP

#include <loops/policy.hpp>

#include <memory>
#include <string_view>

namespace loops {
inline namespace LOOPS_ABI {

/// Makes a policy by a description, as a command line or the variable `LOOPS_POLICY` holds one.
///
/// The form is `name`, `name:value`, or either with `,key=value` behind it:
///
/// | description | policy |
/// | --- | --- |
/// | `default`, `per_thread` | default_policy; `creation=every_thread`, `main_thread`, `never` |
/// | `selector`, `proactor`, `platform` | selector_policy, proactor_policy, platform_policy; `creation=` as above |
/// | `shared`, `shared:4` | shared_policy on that many threads |
/// | `threaded` | threaded_policy |
/// | `pool`, `pool:4` | pool_policy with that many loops; `chooser=round_robin`, `least_loaded`, `two_choices`, `by_key`, `by_cpu`, `prefer_current`; `pin=none`, `compact`, `spread`; `name=web` |
///
/// Each takes `watch=250ms` (or another time, in `s`, `ms`, `us` or `ns`): loops that do not answer for
/// so long are reported. See event_loop_policy::watch_loops().
///
/// @throws system_error with `invalid_argument`, whose text says at which character what was
/// expected; with `error::backend_unavailable` as selector_policy and proactor_policy do.
LOOPS_DECL std::shared_ptr<event_loop_policy> make_policy(std::string_view text);

/// The same, giving null and an error code where make_policy() throws.
LOOPS_DECL std::shared_ptr<event_loop_policy> make_policy(std::string_view text, error_code& ec);

} // namespace LOOPS_ABI
} // namespace loops

#endif
