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
#include <unordered_map>

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

    // Takes the place of what was added for the pid before. The error is the only completion.
    error_code add(pid_type pid, child_watcher::wait_handler handler);

    // What has an exit by then, has it kept.
    void remove(pid_type pid);

    // Gives how many waits are kept for the next attachment, or loop_closed.
    std::size_t attach(asio::io_context* loop, error_code& ec);
    bool is_active() const;
    void close();

    // For the registry and the services, with the mutex held.
    void forget(child_wait& wait) noexcept;
    void lose_loop() noexcept;
    list_hook in_attached;

private:
    error_code why_unusable() const noexcept;
    wait_service* service_for(const destination& to, wait_service* fallback) const noexcept;
    bool wants_fallback() const;
    void enroll(std::uint64_t id, pid_type pid, child_watcher::wait_handler& handler,
        const destination& to, asio::any_completion_executor work, wait_service* service,
        bool is_handler);
    ended_wait take_handler(pid_type pid) noexcept;

    child_registry& registry_;
    const unsigned generation_;
    wait_service* attached_ = nullptr;
    bool detached_ = false;
    bool closed_ = false;
    linked_list<child_wait, &child_wait::in_owner> waits_;
    std::unordered_map<pid_type, child_wait*> handlers_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
