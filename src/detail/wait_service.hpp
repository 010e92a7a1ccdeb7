// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_WAIT_SERVICE_HPP
#define LOOPS_SRC_DETAIL_WAIT_SERVICE_HPP

#include <loops/child_watcher.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>

#include "detail/child_registry.hpp"
#include "detail/operation_memory.hpp"
#include "detail/pidfd_waits.hpp"

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <mutex>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What a loop has to do with children: an inner epoll that holds the pidfds of those that are
// waited for on this loop, and the waits that ended and are to be delivered here. Guarded by the
// registry's mutex, which all members want held but those of execution_context::service, of(),
// of_background() and pending_on().
class wait_service : public asio::execution_context::service
{
public:
    using key_type = wait_service;
    static asio::execution_context::id id;

    // Null: the loop is closed.
    static wait_service* of(asio::io_context& loop);

    // Of threads of our own, for what has no loop; its first use starts them.
    static wait_service& of_background();

    // How many waits for children wait for them on this loop.
    static std::size_t pending_on(asio::io_context& loop);

    // Only of() asks for this service, and only of an io_context.
    explicit wait_service(asio::execution_context& owner);
    ~wait_service() override;

    asio::io_context::executor_type get_executor() const noexcept { return executor_; }
    bool is_shut() const noexcept { return shut_; }

    // Whether the loop is this process's: false in a forked child that did not tell the loop.
    bool is_ours() const noexcept;

    error_code watch(child_on_loop& on_loop);
    void unwatch(child_on_loop& on_loop) noexcept;

    // An ended wait of this service's, delivered by the loop, one after the other.
    void push_ready(child_wait& wait) noexcept;

    void add_attached(pidfd_waits& watcher) { attached_.push_back(watcher); }

    void close_if_idle() noexcept;

private:
    void shutdown() override;
    void notify_fork(asio::execution_context::fork_event event) override;

    error_code open();
    void arm();
    void disarm() noexcept;
    void wake() noexcept;
    void on_readable(std::uint64_t turn, const error_code& ec);
    void take_exits() noexcept;
    void deliver_one(std::unique_lock<std::mutex> lock);

    // Calls `function` with each wait whose child is watched here; it ends or removes the wait.
    template <class Function>
    void each_pending(Function function);
    void end_pending(const error_code& ec) noexcept;

    using descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

    child_registry& registry_;
    const asio::io_context::executor_type executor_;
    operation_memory arm_memory_;
    operation_memory wake_memory_;
    descriptor epoll_;
    linked_list<child_on_loop, &child_on_loop::in_service> watched_;
    stage_list ready_;
    linked_list<pidfd_waits, &pidfd_waits::in_attached> attached_;
    std::uint64_t turn_ = 0; // tells the present wait for the epoll from one that was given up
    unsigned generation_;
    bool armed_ = false;
    bool woken_ = false;
    bool reaping_ = false;
    bool shut_ = false;
};

// Where the completion of a handler is to run.
struct destination
{
    asio::any_completion_executor executor; // the handler's own; empty where it has none
    wait_service* service = nullptr;        // for that: of the loop behind it, or the background's
    bool runs_plainly = false;              // the executor is the loop's, and nothing more
    bool shut = false;                      // the loop behind it is closed

    explicit destination(const child_watcher::wait_handler& handler);

    // What to keep until the completion: it counts as work. Empty where the loop itself will do.
    asio::any_completion_executor work() const;
};

// What delivers where neither the handler nor the watcher has a loop: the running one, or the
// thread's existing one. Null: there is none. Policy code runs: no lock may be held.
wait_service* existing_service();

// The same, and the background there being none.
wait_service& any_service();

// Completes a handler with an error, as a wait without a watcher. Not inline.
void deliver(child_watcher::wait_handler handler, const error_code& ec);

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
