// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_PROCESS_ASYNC_RUN_HPP
#define LOOPS_PROCESS_ASYNC_RUN_HPP

#include <loops/child_exit.hpp>
#include <loops/config.hpp>
#include <loops/detail/default_token.hpp>
#include <loops/error.hpp>
#include <loops/process/command.hpp>
#include <loops/process/process_tree.hpp>
#include <loops/process/stop_ladder.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

class child_watcher;

/// How async_run() runs a command.
struct run_options
{
    /// What the process reads from its standard input, which ends after that. Empty: `/dev/null`.
    std::string input;

    /// How many bytes are kept of the standard output, and as many of the standard error. What comes after
    /// that is read, counted and dropped.
    std::size_t most_output = std::size_t(1) << 20;

    /// Where it is set, it is called with each line of the standard output while the process runs, without the
    /// line's end, on the loop that does the work, one call at a time; nothing is kept then. A line longer than
    /// most_output comes in parts. What it throws leaves the loop's run, and the operation goes on.
    std::function<void(std::string_view line)> on_output;

    /// The same for the standard error.
    std::function<void(std::string_view line)> on_error;

    /// After what time the process is stopped; nothing: never.
    std::optional<std::chrono::nanoseconds> deadline;

    /// How it is stopped, by the deadline or by cancellation.
    stop_ladder stop = default_stop_ladder();

    /// What is stopped with the process. The command's `process_group` goes before its group.
    tree_options tree;

    /// How long the output is read after the end of the process, where another one still holds it open.
    std::chrono::nanoseconds drain = std::chrono::milliseconds(100);

    /// What waits for the process; null: the policy's watcher.
    std::shared_ptr<child_watcher> watcher;
};

/// What became of a command.
struct run_result
{
    /// How the process ended.
    child_exit exit;
    /// The beginning of the standard output.
    std::string output;
    /// The beginning of the standard error.
    std::string error_output;
    /// How many bytes of the standard output there were after that.
    std::uint64_t output_dropped = 0;
    /// How many bytes of the standard error there were after that.
    std::uint64_t error_output_dropped = 0;
    /// Whether another process held them open when the time for draining was over.
    bool output_cut = false;
    /// Which signal of the ladder was the last one that was sent before the process ended, counted from 0; nothing
    /// where none was sent.
    std::optional<std::size_t> stopped_by;
    /// From the start of the process to its end.
    std::chrono::nanoseconds elapsed{};
};

namespace detail {

using run_signature = void(error_code, run_result);
using pipeline_signature = void(error_code, std::vector<run_result>);
using run_handler = asio::any_completion_handler<pipeline_signature>;

LOOPS_DECL void start_run(
    const std::vector<command>& programs, run_options options, run_handler handler);

} // namespace detail

/// Starts a program, feeds it, takes its output, and waits for its end.
///
/// The process is started before this function returns, as start_process() does. The operation is complete
/// when the process has ended and been reaped, and its output was read to the end, or as long as
/// run_options::drain: not when another process that has inherited the output lets go of it.
///
/// @param what The command. Its descriptors 0, 1 and 2 are the operation's; it may have others.
/// @param options See there.
/// @param token The completion token. The handler is never invoked inside of this function; it runs on its
/// associated executor, and without one on the loop that does the work: the running loop, or the thread's
/// existing one, or one of the library's own.
///
/// @par Completion Signature
/// @code void(loops::error_code, loops::run_result) @endcode
///
/// @par Errors
/// - None: the process ended by itself. Whether that was a success is said by run_result::exit.
/// - Those of start_process(), and of opening pipes: there was no process.
/// - `error::watcher_inactive`: nor was there.
/// - `boost::asio::error::timed_out`: it was stopped at the deadline. The result is complete.
/// - `boost::asio::error::operation_aborted`: it was stopped by cancellation, likewise; or the watcher
///   was closed, and the process was killed.
/// - `error::child_status_lost`: somebody else took its status.
/// - `invalid_argument` for an empty ladder, a time below 0, or what start_process() refuses.
///
/// @par Per-Operation Cancellation
/// terminal, partial and total: the process is stopped by the ladder, and the operation completes when it has
/// ended. After that, cancellation only ends the draining.
///
/// @par Destruction
/// With its loop the operation is destroyed, its handler uncalled; the process is killed, and reaped by the
/// library's threads.
///
/// @throws std::bad_alloc
///
/// @par Thread safety
/// Safe.
///
/// @par Example
/// @code
/// loops::run_options options;
/// options.deadline = std::chrono::seconds(10);
/// const loops::run_result made = co_await loops::async_run(
///     {"make", {"-C", folder}}, options, boost::asio::use_awaitable);
/// if (made.exit.returncode() != 0)
///     std::cerr << made.error_output;
/// @endcode
template <BOOST_ASIO_COMPLETION_TOKEN_FOR(detail::run_signature)
              CompletionToken = detail::default_token>
auto async_run(
    command what, run_options options, CompletionToken&& token = detail::default_token());

/// The same, with default options.
template <BOOST_ASIO_COMPLETION_TOKEN_FOR(detail::run_signature)
              CompletionToken = detail::default_token>
auto async_run(command what, CompletionToken&& token = detail::default_token());

/// Programs, each of which reads what the one before it writes.
///
/// Loops starts no shell for that: nothing is quoted, and each program's exit is told.
struct pipeline
{
    /// Makes a pipeline of at least one command.
    pipeline(std::initializer_list<command> programs_) : programs(programs_) {}
    /// The same of commands that a program has collected.
    explicit pipeline(std::vector<command> programs_) : programs(std::move(programs_)) {}

    /// Each reads what the one before it writes.
    std::vector<command> programs;
};

/// Runs the programs of a pipeline at a time, feeds the first one, and takes the output of the last one, and what
/// each writes to its standard error.
///
/// As for one command, but:
/// - The result has one element for each program, in their order; all but the last one have no output.
/// - Where one of them cannot be started, those before it are killed, and the result has their ends.
/// - run_options::on_error is called with the lines of all of them.
/// - run_options::deadline and the ladder are for all of them together.
///
/// @param what The programs.
/// @param options As for one command.
/// @param token The completion token, as for one command.
///
/// @par Completion Signature
/// @code void(loops::error_code, std::vector<loops::run_result>) @endcode
///
/// @par Errors
/// As for one command; `invalid_argument` where there is no program.
///
/// @par Per-Operation Cancellation
/// As for one command, for all of the programs.
///
/// @par Example
/// @code
/// auto results = co_await loops::async_run(
///     loops::pipeline{{"zcat", {file}}, {"sort"}, {"uniq", {"-c"}}}, {}, boost::asio::use_awaitable);
/// @endcode
template <BOOST_ASIO_COMPLETION_TOKEN_FOR(detail::pipeline_signature)
              CompletionToken = detail::default_token>
auto async_run(
    pipeline what, run_options options, CompletionToken&& token = detail::default_token());

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/async_run.hpp>

#endif
