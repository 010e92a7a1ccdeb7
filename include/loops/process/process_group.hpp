// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_PROCESS_PROCESS_GROUP_HPP
#define LOOPS_PROCESS_PROCESS_GROUP_HPP

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

#include <cstddef>
#include <memory>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

class child_watcher;

namespace detail {
class group_core;
} // namespace detail

/// How a process_group is to be.
struct group_options
{
    /// How many processes live at a time; the others wait for their turn, in order. 0: there is no bound.
    std::size_t most_alive = 0;
    /// What each process may use, beside the limits of its command: those of a command that come later win.
    std::vector<resource_limit> limits;
    /// What each process is stopped with, and what those may use together.
    tree_options tree;
    /// How a process is stopped.
    stop_ladder stop = default_stop_ladder();
    /// What waits for the processes; null: the policy's watcher.
    std::shared_ptr<child_watcher> watcher;
};

/// A set of processes that are started, waited for and stopped together; at most so many live at a time.
///
/// Each is one operation: async_run() names a command, and completes when its process has ended. The
/// output of the processes is where their commands put it.
///
/// When the group is destroyed, commands that wait for their turn complete with `operation_aborted`, and the processes that
/// live are stopped by the ladder; their operations complete as ever, when they have ended.
///
/// @par Thread safety
/// Safe, destruction excepted.
class LOOPS_DECL process_group
{
public:
    /// Makes a group without processes.
    /// @param loop Does the group's work. It may be any `io_context`, and must outlive the group.
    /// @throws system_error with `invalid_argument` for an empty ladder.
    explicit process_group(asio::io_context& loop, group_options options = {});

    process_group(const process_group&) = delete;
    process_group& operator=(const process_group&) = delete;
    ~process_group();

    /// Starts a command when it is its turn, and waits for the end of its process.
    ///
    /// @param what The command. Its `process_group` goes before that of group_options::tree.
    /// @param token The completion token. The handler is never invoked inside of this function; it runs on its
    /// associated executor, else on the group's loop.
    ///
    /// @par Completion Signature
    /// @code void(loops::error_code, loops::child_exit) @endcode
    ///
    /// @par Errors
    /// Those of start_process() and of child_watcher::async_wait(); `error::watcher_inactive` where the child
    /// watcher is detached or closed: no process is started; `operation_aborted` where it was cancelled or
    /// stopped before its turn. A process that was stopped has no error: its exit tells.
    ///
    /// @par Per-Operation Cancellation
    /// terminal, partial and total: before its turn it is taken out of the queue; after that its process is stopped by the
    /// ladder, and the operation completes when it has ended.
    template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, child_exit))
                  CompletionToken = detail::default_token>
    auto async_run(command what, CompletionToken&& token = detail::default_token());

    /// Waits until no process lives and no command waits for its turn; at once where that is so.
    ///
    /// @param token The completion token. The handler is never invoked inside of this function; it runs on its
    /// associated executor, else on the group's loop.
    ///
    /// @par Completion Signature
    /// @code void(loops::error_code) @endcode
    ///
    /// @par Per-Operation Cancellation
    /// terminal, partial and total: it completes with `operation_aborted`, and nothing else changes.
    template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code))
                  CompletionToken = detail::default_token>
    auto async_wait_all(CompletionToken&& token = detail::default_token());

    /// Waits for the next end of a process, whichever it is.
    ///
    /// @param token The completion token. The handler is never invoked inside of this function; it runs on its
    /// associated executor, else on the group's loop.
    ///
    /// @par Completion Signature
    /// @code void(loops::error_code, loops::child_exit) @endcode
    ///
    /// @par Errors
    /// `boost::asio::error::not_found`: none lives or waits for its turn. Those of the process's own operation.
    ///
    /// @par Per-Operation Cancellation
    /// As for async_wait_all().
    template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code, child_exit))
                  CompletionToken = detail::default_token>
    auto async_wait_any(CompletionToken&& token = detail::default_token());

    /// Stops all: what waits for its turn completes with `operation_aborted`, and each process that lives is stopped by the
    /// ladder. Commands can be run again afterwards. Returns at once: async_wait_all() tells when it is done.
    void stop();

    /// How many processes live.
    std::size_t alive() const;

    /// How many commands wait for their turn.
    std::size_t waiting() const;

private:
    using run_handler = asio::any_completion_handler<void(error_code, child_exit)>;
    using all_handler = asio::any_completion_handler<void(error_code)>;

    void start_run(command what, run_handler handler);
    void start_wait_all(all_handler handler);
    void start_wait_any(run_handler handler);

    const std::shared_ptr<detail::group_core> core_;
};

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/process_group.hpp>

#endif
