// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_WAIT_SERVICE_HPP
#define LOOPS_SRC_DETAIL_WAIT_SERVICE_HPP

#include <loops/child_watcher.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/loop_clock.hpp>

#include "detail/child_registry.hpp"
#include "detail/child_waits.hpp"
#include "detail/operation_memory.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What a loop has to do with children: an inner epoll that holds the pidfds of those that are
// waited for on this loop, a timer for those that are looked at, and the waits that ended and are to
// be delivered here. Guarded by the registry's mutex, which all members want held but those of
// execution_context::service, of(), of_background() and pending_on().
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

    // Whether its loop is one that a forked child inherited, and nobody can tell of the fork.
    bool is_left_behind() const noexcept { return is_background_ && !is_ours(); }

    // Whether the loop is this process's: false in a forked child that did not tell the loop.
    bool is_ours() const noexcept;

    error_code watch_by_pidfd(child_watch& it);
    void watch_by_reaper(child_watch& it);
    void watch_by_look(child_watch& it, const look_bounds& bounds);
    void unwatch(child_watch& it) noexcept;

    // Another wait, which has these bounds, joined what is looked at already.
    void hurry(const look_bounds& bounds) noexcept;

    // An ended wait of this service's, delivered by the loop, one after the other.
    void push_ready(child_wait& wait) noexcept;

    void add_attached(child_waits& watcher) { attached_.push_back(watcher); }

    void close_if_idle() noexcept;

private:
    using clock = loop_clock;
    using watch_list = linked_list<child_watch, &child_watch::in_service>;

    void shutdown() override;
    void notify_fork(asio::execution_context::fork_event event) override;

    error_code open();
    void arm();
    void disarm() noexcept;
    void wake() noexcept;
    template <class Function>
    void each_pending(watch_list& list, Function function);
    void end_all(watch_list& list, const error_code& ec) noexcept;
    void on_readable(std::uint64_t turn, const error_code& ec);
    void take_exits() noexcept;
    void arm_look(clock::time_point at);
    void on_look(std::uint64_t turn, const error_code& ec);
    bool look_at_some() noexcept;
    void stop_looking() noexcept;
    void look_soon(const look_bounds& bounds);
    look_bounds bounds_of_looks() noexcept;
    void deliver_one(std::unique_lock<std::mutex> lock);

    using descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

    child_registry& registry_;
    const asio::io_context::executor_type executor_;
    operation_memory arm_memory_;
    operation_memory wake_memory_;
    operation_memory look_memory_;
    descriptor epoll_;
    asio::basic_waitable_timer<clock, asio::wait_traits<clock>, asio::io_context::executor_type>
        look_timer_;
    watch_list by_pidfd_;
    watch_list by_look_;
    watch_list by_reaper_;
    // While the reaper watches, no operation of Asio's keeps the loop running.
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
    wait_list ready_;
    linked_list<child_waits, &child_waits::in_attached> attached_;
    // Each tells the present wait of its kind from one that was given up.
    std::uint64_t turn_ = 0;
    std::uint64_t look_turn_ = 0;
    std::chrono::nanoseconds interval_{};
    clock::time_point thorough_{};
    unsigned generation_;
    std::atomic<bool> is_background_{false};
    bool armed_ = false;
    bool looking_ = false;
    bool woken_ = false;
    bool reaping_ = false; // the epoll is waited for anew when that is over
    bool delivering_ = false;
    std::size_t looks_left_ = 0; // of the look under way
    bool found_ = false;
    bool is_thorough_ = false;
    bool shut_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
