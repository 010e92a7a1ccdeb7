// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_WATCHER_PIDFD_CHILD_WATCHER_HPP
#define LOOPS_WATCHER_PIDFD_CHILD_WATCHER_HPP

#include <loops/child_watcher.hpp>

#include <memory>
#include <string>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {
class pidfd_waits;
} // namespace detail

/// Watches children through pidfds: one descriptor a child, no thread, no signal, and a cost that
/// does not grow with the number of children alive. Needs Linux 5.4.
///
/// It needs no attachment. Several of them share the descriptors and what is reaped.
///
/// @par Descriptors
/// Each child that is waited for has one, whoever waits on whatever loop, and each loop that watches
/// children one for all of them, kept until the last watcher of the process is closed. Where the
/// system has no more of them, a wait ends with what it said (`EMFILE`, `ENFILE`, ...).
///
/// @par Fork
/// As the base class has it. Closing or destroying the watcher or its loops in a forked child
/// changes nothing in the parent. A new watcher works there.
///
/// @par Thread safety
/// As the base class has it.
class LOOPS_DECL pidfd_child_watcher final : public child_watcher
{
public:
    /// Whether the kernel, and whatever filters this process's system calls, let pidfds be used.
    ///
    /// Tried once in a process, on the process itself. The environment variable
    /// `LOOPS_NO_PIDFD`, set to anything but nothing, says no untried: some filters end a process
    /// that makes a call they do not know.
    static bool is_supported() noexcept;

    /// @throws system_error with `operation_not_supported` where is_supported() is false.
    pidfd_child_watcher();

    /// Closes.
    ~pidfd_child_watcher() override;

    std::string name() const override;

private:
    void do_async_wait(pid_type pid, wait_handler handler) override;
    void do_add_handler(pid_type pid, handler_id id, wait_handler handler, error_code& ec) override;
    void do_remove_handler(pid_type pid, handler_id id) override;
    void do_attach(asio::io_context* loop) override;
    bool do_is_active() const override;
    void do_close() override;

    const std::shared_ptr<detail::pidfd_waits> waits_;
};

} // namespace LOOPS_ABI
} // namespace loops

#endif
