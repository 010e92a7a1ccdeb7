// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_WAIT_SERVICE_HPP
#define LOOPS_SRC_DETAIL_WAIT_SERVICE_HPP

#include <loops/child_watcher.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>

#include "detail/child_registry.hpp"
#include "detail/pidfd_waits.hpp"

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <cstdint>
#include <mutex>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What a loop has to do with children: an inner epoll that holds the pidfds of those that are
// waited for on this loop, and the waits that ended and are to be delivered here. Guarded by the
// registry's mutex, which all members want held but those of execution_context::service and of().
class wait_service : public asio::execution_context::service
{
public:
    static wait_service& of(asio::io_context& loop);

    // Of the context that runs what has no loop; its first use starts threads.
    static wait_service& of_system();

    ~wait_service() override;

    bool is_shut() const noexcept { return shut_; }

    // Whether the loop is this process's: false in a forked child that did not tell the loop.
    bool is_ours() const noexcept;

    error_code watch(child_on_loop& on_loop);
    void unwatch(child_on_loop& on_loop) noexcept;

    // Ended waits, delivered by the loop one after the other.
    void push_ready(child_wait& wait);
    void remove_ready(child_wait& wait) noexcept;

    void add_attached(pidfd_waits& watcher) { attached_.push_back(watcher); }
    void remove_attached(pidfd_waits& watcher) noexcept;

    void close_if_idle() noexcept;

protected:
    wait_service(asio::execution_context& owner, const asio::any_io_executor& executor);

private:
    void shutdown() override;
    void notify_fork(asio::execution_context::fork_event event) override;

    error_code open();
    void arm();
    void disarm() noexcept;
    void wake();
    void on_readable(std::uint64_t turn, const error_code& ec);
    void deliver_one(std::unique_lock<std::mutex> lock);

    child_registry& registry_;
    const asio::any_io_executor executor_;
    asio::posix::basic_stream_descriptor<asio::any_io_executor> epoll_;
    linked_list<child_on_loop, &child_on_loop::in_service> watched_;
    linked_list<child_wait, &child_wait::in_ready> ready_;
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
    wait_service* service = nullptr;        // of the loop behind that
    bool runs_plainly = false;              // the executor is the loop's, and nothing more

    explicit destination(const child_watcher::wait_handler& handler);

    // What to keep until the completion: it counts as work. Empty where the loop itself will do.
    asio::any_completion_executor work() const;
};

// The loop that delivers where neither the handler nor the watcher has one: the running one, the
// thread's existing one, and for handlers that have an executor of their own the system's. Null:
// there is none.
wait_service* choose_service(const destination& to);

// Completes a handler that is no wait, by a loop that choose_service() finds, and, there being
// none, by the system executor. Not inline.
void deliver(
    child_watcher::wait_handler handler, const error_code& ec, const child_exit& exit = {});

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
