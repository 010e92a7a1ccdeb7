// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_WATCHER_ATTACHED_WATCHER_HPP
#define LOOPS_WATCHER_ATTACHED_WATCHER_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <memory>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
class attached_waits;
} // namespace detail

/// What the watchers of descriptors, files and processes have in common: the loop that does their work.
///
/// @par Fork
/// In a forked child a watcher of the parent refuses work with `error::forked`, and what was pending
/// completes nowhere.
///
/// @par Thread safety
/// All members but the destructor may be called concurrently.
class LOOPS_DECL attached_watcher
{
public:
    attached_watcher(const attached_watcher&) = delete;
    attached_watcher& operator=(const attached_watcher&) = delete;

    /// Has a loop do the work from now on; what is pending moves there.
    /// @throws system_error with `error::watcher_closed`, `error::forked` or `error::loop_closed`, or where the system
    /// refuses a descriptor: it is attached to what it was then.
    void attach_loop(asio::io_context& loop);

    /// The same, with the error in `ec`.
    void attach_loop(asio::io_context& loop, error_code& ec);

    /// Detaches it: waits and events are kept until it is attached again.
    void attach_loop(std::nullptr_t);

    /// Whether a wait that is started now will be delivered: the watcher is open, and attached to a loop that lives.
    bool is_active() const;

    /// Closes the watcher: what is pending completes with `operation_aborted`. Twice is nothing.
    void close();

protected:
    /// @cond
    explicit attached_watcher(std::shared_ptr<detail::attached_waits> waits);

    // Closes.
    ~attached_watcher();

    detail::attached_waits& waits() const noexcept { return *waits_; }
    /// @endcond

private:
    const std::shared_ptr<detail::attached_waits> waits_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
