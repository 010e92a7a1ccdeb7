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
/// The form is `name`, `name:value`, or either with `,key=value` behind it. Policies that wrap others
/// stand before these, with a `/` between, which reads as "over": `bounded:64/priority:3/pool:4`.
///
/// | description | policy |
/// | --- | --- |
/// | `default`, `per_thread` | default_policy; `creation=every_thread`, `main_thread`, `never` |
/// | `selector`, `proactor`, `platform` | selector_policy, proactor_policy, platform_policy; `creation=` as above |
/// | `shared`, `shared:4` | shared_policy on that many threads |
/// | `threaded` | threaded_policy |
/// | `pool`, `pool:4` | pool_policy with that many loops; `chooser=round_robin`, `least_loaded`, `two_choices`, `by_key`, `by_cpu`, `prefer_current`; `pin=none`, `compact`, `spread`; `name=web`; `spin=50us` (pool_options::spin) |
/// | `keyed`, `keyed:8` | keyed_policy<std::uint64_t>, run by the policy; with a number, keys count modulo that number; where there is no key, it is 0; `idle=30s` (keyed_options::drop_idle_after), `name=shard` |
/// | `bounded:64/...` | bounded_policy of that many tasks over what follows; `queue=1000` (waiting tasks) |
/// | `priority/...`, `priority:3/...` | priority_policy of that many priorities over what follows; `ageing=64` |
/// | `virtual_time/...` | virtual_time_policy over what follows; `idle=50ms` (virtual_time_options::idle), `shuffle=7` |
///
/// Times are whole numbers with a unit: `ns`, `us`, `ms` or `s`.
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
