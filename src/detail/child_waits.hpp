// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_CHILD_WAITS_HPP
#define LOOPS_SRC_DETAIL_CHILD_WAITS_HPP

#include <loops/child_watcher.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>

#include "detail/child_registry.hpp"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

struct destination;

// The handlers of this watcher have records in the registry.
void note_records(handler_table& table) noexcept;

// What one kind of watcher has that others have not.
struct watcher_kind
{
    const char* name;
    watching how;
    bool sees_states = false;
    bool reaps_everyone = false;
    look_bounds bounds = {};
    // What is told of exits that nobody waited for; outlives the watcher where it is running then.
    std::shared_ptr<const std::function<void(const child_exit&)>> unclaimed = nullptr;

    bool needs_signal() const noexcept { return how == watching::by_signal; }
};

// What a watcher consists of: its waits, and the loop that it is attached to. Guarded by the
// registry's mutex.
class child_waits
{
public:
    explicit child_waits(watcher_kind kind);
    ~child_waits();

    child_waits(const child_waits&) = delete;
    child_waits& operator=(const child_waits&) = delete;

    const watcher_kind& kind() const noexcept { return kind_; }
    watching how() const noexcept { return kind_.how; }
    const look_bounds& bounds() const noexcept { return kind_.bounds; }

    void start(pid_type pid, child_watcher::wait_handler handler, bool is_state = false);

    // Takes the place of what was added for the pid before; its exit, too, where it has one. There
    // may be one with a greater number already: that takes the place of this one.
    error_code add(pid_type pid, std::uint64_t id, child_watcher::wait_handler handler);

    // What has an exit by then, has it kept.
    void remove(std::uint64_t id);

    // Gives how many waits are kept for the next attachment, or an error.
    std::size_t attach(asio::io_context* loop, error_code& ec);
    bool is_active() const;
    void close();

    // For the services and the reaper, with the mutex held.
    void lose_loop() noexcept;
    void tell_unclaimed(const child_exit& exit) noexcept;
    list_hook in_attached;
    list_hook in_reaper; // while it needs the signal

private:
    // Where a wait goes, and what it ends with at once.
    struct place
    {
        wait_service* service = nullptr;
        error_code ec;
        bool kept_back = false; // by the detached watcher
        bool shut = false;      // its loop is closed
    };

    error_code why_unusable() const noexcept;
    bool has_no_loop() const;
    wait_service* stand_in(const destination& to, error_code& ec) const;
    place find_place(
        const destination& to, wait_service* stand_in, const error_code& ec) const noexcept;
    void enroll(std::uint64_t id, pid_type pid, ended_wait& fresh, const destination& to,
        const place& at, bool is_handler, bool is_state);
    void take_signal();
    bool take_signal_if_possible() noexcept;
    void log_kept_back(pid_type pid) const noexcept;
    child_record* exit_of_replaced(std::uint64_t id, pid_type pid) noexcept;

    child_registry& registry_;
    const watcher_kind kind_;
    const unsigned generation_;
    wait_service* attached_ = nullptr;
    bool detached_;
    bool closed_ = false;
    std::size_t unclaimed_added_ = 0; // since they were counted
    linked_list<child_wait, &child_wait::in_owner> waits_;
    linked_list<child_wait, &child_wait::in_owner> unclaimed_; // what tells of exits of nobody's
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
