// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_PIDFD_WAITS_HPP
#define LOOPS_SRC_DETAIL_PIDFD_WAITS_HPP

#include <loops/child_watcher.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>

#include "detail/child_registry.hpp"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

struct destination;

// What a pidfd_child_watcher consists of: its waits, and the loop that it is attached to. Guarded
// by the registry's mutex.
class pidfd_waits
{
public:
    pidfd_waits();
    ~pidfd_waits();

    pidfd_waits(const pidfd_waits&) = delete;
    pidfd_waits& operator=(const pidfd_waits&) = delete;

    void start(pid_type pid, child_watcher::wait_handler handler);

    // Takes the place of what was added for the pid before; its exit, too, where it has one. There
    // may be one with a greater number already: that takes the place of this one.
    error_code add(pid_type pid, std::uint64_t id, child_watcher::wait_handler handler);

    // What has an exit by then, has it kept.
    void remove(std::uint64_t id);

    // Gives how many waits are kept for the next attachment, or an error.
    std::size_t attach(asio::io_context* loop, error_code& ec);
    bool is_active() const;
    void close();

    // For the services, with the mutex held.
    void lose_loop() noexcept;
    list_hook in_attached;

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
        const place& at, bool is_handler);
    std::optional<child_exit> exit_of_replaced(std::uint64_t id, pid_type pid) noexcept;

    child_registry& registry_;
    const unsigned generation_;
    wait_service* attached_ = nullptr;
    bool detached_ = false;
    bool closed_ = false;
    linked_list<child_wait, &child_wait::in_owner> waits_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
