// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_PROCESS_SUPERVISOR_HPP
#define LOOPS_PROCESS_SUPERVISOR_HPP

#include <loops/child_exit.hpp>
#include <loops/config.hpp>
#include <loops/detail/default_token.hpp>
#include <loops/error.hpp>
#include <loops/process/command.hpp>
#include <loops/process/process_tree.hpp>
#include <loops/process/stop_ladder.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

class child_watcher;

namespace detail {
class supervisor_core;
} // namespace detail

/// When a worker whose process has ended unasked gets another one.
enum class restart_policy
{
    /// However it ended, also by exiting with 0.
    always,
    /// When it ended with another code than 0, or by a signal, or could not be started, or was stopped for not becoming
    /// ready or not giving a sign of life.
    on_failure,
    /// However it ended: its worker has ended for good.
    never
};

/// How a worker says that it is ready.
enum class readiness
{
    /// It does not: it is taken for ready as soon as it was started.
    none,
    /// It writes a line's end to the descriptor supervisor_options::ready_descriptor, as services of s6 do.
    descriptor,
    /// It sends `READY=1` to the datagram socket that the environment's `NOTIFY_SOCKET` names, as `sd_notify(3)`
    /// does. `STATUS=` and `WATCHDOG=1` are heeded as well.
    sd_notify
};

/// How long to wait before a worker gets its next process.
///
/// After one that lived for `steady`: not at all. After the first one that did not: `first`; after each
/// further one in a row `factor` times as long, up to `longest`.
struct restart_backoff
{
    /// Before the first restart in a row.
    std::chrono::nanoseconds first = std::chrono::milliseconds(100);
    /// By what each further one waits longer.
    double factor = 2;
    /// No restart waits longer.
    std::chrono::nanoseconds longest = std::chrono::seconds(30);
    /// Each time is made shorter by a random share, from 0 to this one of it, so that workers that died together
    /// do not return together. From 0 to 1.
    double jitter = 0.25;
    /// A process that lived for so long is replaced at once, and the row ends.
    std::chrono::nanoseconds steady = std::chrono::seconds(10);
};

/// How a supervisor is to be.
struct supervisor_options
{
    /// After which ends a worker is started again.
    restart_policy restart = restart_policy::always;
    /// How long it waits before that.
    restart_backoff backoff;

    /// When that many restarts lie within `restart_window` and one more is due, the supervisor gives up: all workers are
    /// stopped, and async_run() completes with error::restart_limit. 0: it never does.
    std::size_t most_restarts = 0;
    /// The time in which restarts are counted.
    std::chrono::nanoseconds restart_window = std::chrono::seconds(10);

    /// How a process says that it is ready.
    readiness ready = readiness::none;
    /// The number that the descriptor has in the worker.
    int ready_descriptor = 3;
    /// A process that is not ready after this time is stopped, and counts as failed. 0: there is no limit.
    std::chrono::nanoseconds ready_timeout = std::chrono::seconds(90);

    /// With readiness::sd_notify: a process that sends no `WATCHDOG=1` for so long, from when it is ready, is
    /// stopped, and counts as failed. It finds the time in `WATCHDOG_USEC`. 0: none is expected.
    std::chrono::nanoseconds watchdog{0};

    /// Whether workers are started one after the other, each when the one before is ready, and stopped in the
    /// opposite order, each when the one after it has ended. Else all are at once.
    bool in_order = false;

    /// Whether a rolling restart starts a worker's new process, and waits until it is ready, before the old one is
    /// stopped; else the old one is stopped first.
    bool overlap = true;

    /// How a process is stopped.
    stop_ladder stop = default_stop_ladder();

    /// What is stopped with a process. Of the default a group is left alone that outlives a process which ended
    /// by itself; with process_tree::cgroup nothing outlives it.
    tree_options tree;

    /// Called at each change of a worker's state with its index, on the supervisor's loop, one call at a
    /// time. What it throws leaves the loop's run.
    std::function<void(std::size_t worker)> on_change;

    /// What waits for the processes; null: the policy's watcher.
    std::shared_ptr<child_watcher> watcher;
};

/// What a worker does.
enum class worker_state
{
    /// It was not started yet, or has ended for good.
    idle,
    /// Its process is not ready yet.
    starting,
    /// Its process is ready.
    ready,
    /// Its process was told to end.
    stopping,
    /// It waits before it gets its next process.
    backing_off
};

/// What is known of a worker.
struct worker_status
{
    /// What it does now.
    worker_state state = worker_state::idle;
    /// Its process; 0 where there is none. During a rolling restart the older one, until the new one is ready.
    pid_type pid = 0;
    /// When that was started.
    std::chrono::steady_clock::time_point since;
    /// How many processes it had.
    std::uint64_t starts = 0;
    /// How many of them replaced one that ended unasked.
    std::uint64_t restarts = 0;
    /// How many of them failed, and how many starts.
    std::uint64_t failures = 0;
    /// How the last one that has ended did.
    child_exit last_exit;
    /// Why the last start failed; none where it did not.
    error_code last_error;
    /// What its process said last by `STATUS=`.
    std::string text;
};

/// Keeps processes alive: so many workers, each of which has a process, and gets another one when that
/// ends.
///
/// @par Thread safety
/// Safe, destruction excepted.
///
/// When it is destroyed, its workers are stopped as by stop(), and its operations complete as ever; no function
/// of the options or for commands is called any more.
///
/// @par Example
/// @code
/// loops::supervisor_options options;
/// options.ready = loops::readiness::sd_notify;
/// loops::supervisor workers(loop, loops::command("/usr/bin/worker"), 4, options);
/// workers.async_run([](loops::error_code ec) { std::cerr << "ended: " << ec.message() << '\n'; });
/// // On SIGHUP:
/// workers.async_restart([](loops::error_code ec) { std::cerr << "restarted: " << ec.message() << '\n'; });
/// // On SIGTERM:
/// workers.stop();
/// @endcode
class LOOPS_DECL supervisor
{
public:
    /// Makes the command of a worker, each time that it gets a process; from 0. Called on the supervisor's loop, one call at a
    /// time. What it throws counts as a start that failed.
    using command_function = std::function<command(std::size_t worker)>;

    /// Makes a supervisor that has started nothing yet.
    /// @param loop Does the work. It may be any `io_context`, and must outlive the supervisor.
    /// @param what The command of each worker.
    /// @param workers How many there are.
    /// @throws system_error with `invalid_argument` for options that make no sense, and says which.
    supervisor(asio::io_context& loop, command_function what, std::size_t workers,
        supervisor_options options = {});

    /// The same, with one command for all.
    supervisor(
        asio::io_context& loop, command what, std::size_t workers, supervisor_options options = {});

    supervisor(const supervisor&) = delete;
    supervisor& operator=(const supervisor&) = delete;
    ~supervisor();

    /// Starts the workers, and keeps them alive until they are stopped, or have ended for good.
    ///
    /// @param token The completion token. The handler is never invoked inside of this function; it runs on its
    /// associated executor, else on the supervisor's loop. When it does, no process is left.
    ///
    /// @par Completion Signature
    /// @code void(loops::error_code) @endcode
    ///
    /// @par Errors
    /// - None: stop() was called, or all workers ended and were not to be restarted.
    /// - `error::restart_limit`: there were too many restarts.
    /// - `error::already_running`: async_run() is under way.
    /// - `operation_aborted`: it was cancelled; or the child watcher was closed, and the processes were killed.
    /// - `error::watcher_inactive`: the child watcher was detached or closed when a process was to be started.
    /// Those that lived were killed.
    ///
    /// @par Per-Operation Cancellation
    /// terminal, partial and total: as stop(), but for the error.
    ///
    /// It may be called again after it completed.
    template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code))
                  CompletionToken = detail::default_token>
    auto async_run(CompletionToken&& token = detail::default_token());

    /// Waits until each worker is ready, or ended for good; at once where that is so. Where async_run() was not
    /// called, or has completed, it waits for the next run's.
    ///
    /// @param token The completion token. The handler is never invoked inside of this function; it runs on its
    /// associated executor, else on the supervisor's loop.
    ///
    /// @par Completion Signature
    /// @code void(loops::error_code) @endcode
    ///
    /// @par Errors
    /// `operation_aborted`: it was cancelled, or the workers are being stopped, or stop() was called.
    ///
    /// @par Per-Operation Cancellation
    /// terminal, partial and total: nothing else changes.
    template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code))
                  CompletionToken = detail::default_token>
    auto async_wait_ready(CompletionToken&& token = detail::default_token());

    /// Replaces each worker's process, one worker after the other: see supervisor_options::overlap. One that waits before its
    /// next process gets that at once.
    ///
    /// Where it is called during another such restart, one more follows that.
    ///
    /// @param token The completion token. The handler is never invoked inside of this function; it runs on its
    /// associated executor, else on the supervisor's loop.
    ///
    /// @par Completion Signature
    /// @code void(loops::error_code) @endcode
    ///
    /// @par Errors
    /// - `error::worker_failed`: a new process could not be started, or ended, or was not ready in time. The workers after that
    /// one keep their old processes; with overlap that one, too.
    /// - `error::supervisor_not_running`.
    /// - `operation_aborted`: it was cancelled, or the workers are being stopped.
    ///
    /// @par Per-Operation Cancellation
    /// terminal, partial and total: workers that have not been replaced yet are not; the present one's replacement is completed, without being
    /// waited for.
    template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code))
                  CompletionToken = detail::default_token>
    auto async_restart(CompletionToken&& token = detail::default_token());

    /// Stops the workers: each process by the ladder, all at once or in order. async_run() tells when it is done.
    void stop();

    /// Kills all processes, and starts no others. To be called after stop(), or instead of it.
    void kill();

    /// Sends a signal to each worker's process. Those that are being stopped get none.
    void signal(int number);

    /// What is known of each worker.
    std::vector<worker_status> status() const;

    /// What is known of one.
    /// @throws std::out_of_range
    worker_status status(std::size_t worker) const;

    /// How many workers there are.
    std::size_t size() const noexcept;

private:
    using handler_type = asio::any_completion_handler<void(error_code)>;

    void start_run(handler_type handler);
    void start_wait_ready(handler_type handler);
    void start_restart(handler_type handler);

    const std::shared_ptr<detail::supervisor_core> core_;
};

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/supervisor.hpp>

#endif
