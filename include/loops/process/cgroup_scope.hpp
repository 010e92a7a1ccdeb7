// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_PROCESS_CGROUP_SCOPE_HPP
#define LOOPS_PROCESS_CGROUP_SCOPE_HPP

#include <loops/config.hpp>
#include <loops/detail/default_token.hpp>
#include <loops/error.hpp>
#include <loops/process/process_tree.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>

#include <optional>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {

/// A cgroup, version 2, for processes and all that they start, whatever groups and sessions those make.
///
/// A command that names its folder() as `cgroup` is in it from its first instruction on.
///
/// @par Thread safety
/// Distinct objects: safe. Of one object, what is `const` is.
///
/// @par Example
/// @code
/// loops::cgroup_scope scope;
/// loops::command what("/usr/bin/make");
/// what.cgroup = scope.folder();
/// loops::started_process made = loops::start_process(what);
/// // ...
/// scope.kill();
/// co_await scope.async_wait_empty(loop, boost::asio::use_awaitable);
/// @endcode
class LOOPS_DECL cgroup_scope
{
public:
    /// Says why no cgroup with `cgroup.kill` (Linux 5.14) can be made in that one, and what was tried; nothing where
    /// one can.
    /// @param parent The folder of a cgroup; empty: this process's own.
    static std::optional<std::string> why_unsupported(const std::string& parent = {});

    /// Makes a cgroup.
    /// @param limits What its processes may use. Each takes a controller, which the parent must have delegated.
    /// @param parent The folder of the cgroup that it is made in; empty: this process's own.
    /// @throws system_error, whose text has the file that could not be made or written. Nothing is made then.
    explicit cgroup_scope(const cgroup_limits& limits = {}, const std::string& parent = {});

    cgroup_scope(const cgroup_scope&) = delete;
    cgroup_scope& operator=(const cgroup_scope&) = delete;

    /// Kills what is left in it, waits for that, up to a second, and removes it. In a forked child it does nothing
    /// of that.
    ~cgroup_scope();

    /// Its folder.
    const std::string& folder() const noexcept { return folder_; }

    /// Sends SIGKILL to all of its processes, those that are being started included: `cgroup.kill`.
    void kill(error_code& ec) const noexcept;

    /// The same. @throws system_error
    void kill() const;

    /// Whether there is no process in it, nor in a cgroup below it.
    bool empty() const noexcept;

    /// Waits until empty() is true.
    ///
    /// @param loop Does the work. It may be any `io_context`.
    /// @param token The completion token. The handler is never invoked inside of this function; it runs on its
    /// associated executor, else on the loop. The object may go meanwhile: what it kills is waited for.
    ///
    /// @par Completion Signature
    /// @code void(loops::error_code) @endcode
    ///
    /// @par Errors
    /// `operation_aborted`: it was cancelled; `error::forked`: the process forked meanwhile; else what the system
    /// says of `cgroup.events`. That the cgroup was removed is none: it is empty.
    ///
    /// @par Per-Operation Cancellation
    /// terminal, partial and total: it completes with `operation_aborted`, and nothing else changes.
    template <BOOST_ASIO_COMPLETION_TOKEN_FOR(void(error_code))
                  CompletionToken = detail::default_token>
    auto async_wait_empty(
        asio::io_context& loop, CompletionToken&& token = detail::default_token()) const;

private:
    using empty_handler = asio::any_completion_handler<void(error_code)>;

    void remove() const noexcept;
    void start_wait_empty(asio::io_context& loop, empty_handler handler) const;

    const unsigned generation_;
    std::string folder_;
    int events_ = -1; // cgroup.events
};

} // namespace LOOPS_ABI
} // namespace loops

#include <loops/impl/cgroup_scope.hpp>

#endif
