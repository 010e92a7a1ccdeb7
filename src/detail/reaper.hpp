// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_REAPER_HPP
#define LOOPS_SRC_DETAIL_REAPER_HPP

#include <loops/config.hpp>

#include "detail/child_registry.hpp"
#include "detail/child_signal.hpp"
#include "detail/child_waits.hpp"
#include "platform/posix/semaphore.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The thread of a process that looks at children: when SIGCHLD came, when another thread, which
// blocks until any child is dead, says so, and now and then for those whose status somebody else
// took. A process has one, whatever watchers want it; a forked child makes its own. Guarded by the
// registry's mutex, which all members want held but end_if_idle().
class reaper
{
public:
    static reaper& instance();

    // False where there can be no thread.
    bool watch(child_watch& it) noexcept;
    void unwatch(child_watch& it) noexcept;

    // A watcher that needs the signal. Throws where it, or the thread, cannot be had.
    void add_user(child_waits& user);
    void remove_user(child_waits& user) noexcept;

    // Ends the thread where nobody wants it, and waits for that; not for the one that waits.
    static void end_if_idle() noexcept;

private:
    using clock = std::chrono::steady_clock;

    // What the other thread is doing.
    enum class waiter_state
    {
        absent,
        waiting, // blocked in the kernel until a child is dead
        parked   // it told of one, or that there is none, and is to be told to go on
    };

    reaper() = default;

    bool is_idle() const noexcept { return watches_.empty() && users_.empty(); }
    bool reaps_everyone() const noexcept;
    void start_thread();
    void start_waiter();
    void let_waiter_go() noexcept;
    void wait_for_children(std::uint64_t run, platform::semaphore& go_on) noexcept;

    void run(std::uint64_t run) noexcept;
    std::optional<clock::time_point> next_look_at_all() const noexcept;
    std::optional<clock::time_point> next_look() const noexcept;
    void look(std::unique_lock<std::mutex>& lock) noexcept;
    void look_at_new() noexcept;
    bool take_dead(std::unique_lock<std::mutex>& lock) noexcept;
    bool reap_unclaimed(pid_type pid) noexcept;
    template <class Function>
    void look_at_each(std::unique_lock<std::mutex>& lock, Function wanted) noexcept;
    void look_at_all(std::unique_lock<std::mutex>& lock) noexcept;
    void check(std::unique_lock<std::mutex>& lock) noexcept;

    static void on_signal();

    child_registry& registry_ = child_registry::instance();
    linked_list<child_watch, &child_watch::in_reaper> watches_; // the new ones in front
    linked_list<child_waits, &child_waits::in_reaper> users_;
    std::size_t by_thread_ = 0; // of the watches
    std::optional<child_signal> signal_;
    bool signal_reaches_us_ = true;

    std::thread thread_;
    std::uint64_t run_ = 0; // a thread that has another number is to end
    platform::semaphore wake_;
    std::atomic<bool> told_{false};            // of a child, by the signal or the waiter
    std::atomic<bool> childless_{false};       // that there is none in the kernel, by the waiter
    std::optional<std::uint64_t> logging_run_; // that is in the log hook

    std::thread waiting_thread_;
    waiter_state waiter_ = waiter_state::absent;
    std::uint64_t waiter_run_ = 0;
    std::shared_ptr<platform::semaphore> go_on_;

    bool found_before_ = false;
    bool is_hidden_ = false; // a dead child of nobody's stands before ours
    std::chrono::milliseconds hidden_interval_{5};
    clock::time_point looked_at_all_{};
    clock::time_point checked_{};
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
