// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_HPP
#define LOOPS_HPP

/// @file
/// All of Loops, for small programs, but for what needs other libraries: `loops/process/launcher.hpp`
/// (Boost.Process v2) and `loops/foreign/` (GLib, libuv).

#include <loops/async_invoke.hpp>
#include <loops/async_migrate.hpp>
#include <loops/backend.hpp>
#include <loops/broadcast.hpp>
#include <loops/child_exit.hpp>
#include <loops/child_state.hpp>
#include <loops/child_watcher.hpp>
#include <loops/config.hpp>
#include <loops/connection_limit.hpp>
#include <loops/error.hpp>
#include <loops/event_loop.hpp>
#include <loops/lease.hpp>
#include <loops/listening_group.hpp>
#include <loops/log.hpp>
#include <loops/loop_clock.hpp>
#include <loops/loop_guest.hpp>
#include <loops/loop_local.hpp>
#include <loops/loop_stats.hpp>
#include <loops/loop_watch.hpp>
#include <loops/make_policy.hpp>
#include <loops/parking.hpp>
#include <loops/placing_acceptor.hpp>
#include <loops/policy.hpp>
#include <loops/policy/bounded_policy.hpp>
#include <loops/policy/chooser.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/guest_policy.hpp>
#include <loops/policy/keyed_policy.hpp>
#include <loops/policy/platform_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/priority_policy.hpp>
#include <loops/policy/proactor_policy.hpp>
#include <loops/policy/selector_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/policy/threaded_policy.hpp>
#include <loops/policy/virtual_time_policy.hpp>
#include <loops/policy/wrapping_policy.hpp>
#include <loops/priority_executor.hpp>
#include <loops/process/async_run.hpp>
#include <loops/process/cgroup_scope.hpp>
#include <loops/process/command.hpp>
#include <loops/process/process_group.hpp>
#include <loops/process/process_tree.hpp>
#include <loops/process/start.hpp>
#include <loops/process/stop_ladder.hpp>
#include <loops/process/supervisor.hpp>
#include <loops/run.hpp>
#include <loops/spawn.hpp>
#include <loops/task.hpp>
#include <loops/version.hpp>
#include <loops/watcher/attached_watcher.hpp>
#include <loops/watcher/default_child_watcher.hpp>
#include <loops/watcher/descriptor_watcher.hpp>
#include <loops/watcher/fast_child_watcher.hpp>
#include <loops/watcher/file_watcher.hpp>
#include <loops/watcher/multi_loop_child_watcher.hpp>
#include <loops/watcher/pidfd_child_watcher.hpp>
#include <loops/watcher/process_watcher.hpp>
#include <loops/watcher/safe_child_watcher.hpp>
#include <loops/watcher/threaded_child_watcher.hpp>

#endif
