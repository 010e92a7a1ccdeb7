// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_CHILD_REGISTRY_HPP
#define LOOPS_SRC_DETAIL_CHILD_REGISTRY_HPP

#include <loops/child_exit.hpp>
#include <loops/child_watcher.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>

#include "detail/fork.hpp"

#include <boost/asio/any_completion_executor.hpp>
#include <boost/intrusive/list.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class pidfd_waits;
class wait_service;
struct child_record;

using list_hook = boost::intrusive::list_member_hook<>;

template <class T, list_hook T::*Hook>
using linked_list = boost::intrusive::list<T, boost::intrusive::member_hook<T, list_hook, Hook>>;

// A wait that ended, out of the books, to be handed over with no lock held.
struct ended_wait
{
    child_watcher::wait_handler handler;
    asio::any_completion_executor executor; // empty: the loop that delivers, itself
    error_code ec;
    child_exit exit;

    // Asio 1.81's any_completion_handler never returns from its move assignment.
    void swap(ended_wait& other) noexcept
    {
        handler.swap(other.handler);
        executor.swap(other.executor);
        std::swap(ec, other.ec);
        std::swap(exit, other.exit);
    }

    // Runs the handler on its executor. What the handler throws inline is thrown.
    void complete() &&;
};

// That a child is watched on a loop: its pidfd in the loop's inner epoll.
struct child_on_loop
{
    std::uint64_t id = 0;
    child_record* child = nullptr;
    wait_service* service = nullptr;
    std::size_t waits = 0;
    list_hook in_child;
    list_hook in_service;
};

// One wait. It is pending while it has a child; it has ended, but was not delivered, after that.
struct child_wait
{
    std::uint64_t id = 0;
    pid_type pid = 0;
    ended_wait end;
    child_record* child = nullptr;
    child_on_loop* watched = nullptr; // null while no loop watches the child for this wait
    wait_service* service = nullptr;  // null while the watcher is detached: it is kept
    pidfd_waits* owner = nullptr;
    bool follows_attachment = false;
    bool has_executor = false;
    bool is_handler = false;
    list_hook in_child;
    list_hook in_ready;
    list_hook in_owner;
};

// A child that somebody waits for. There is one descriptor, whoever waits on whatever loop.
struct child_record
{
    std::pair<unsigned, pid_type> key; // fork generation, pid
    int pidfd = -1;
    linked_list<child_wait, &child_wait::in_child> waits;
    linked_list<child_on_loop, &child_on_loop::in_child> loops;
};

// The books of the process: every wait, every child, every loop that watches some. Its mutex is
// held around forks, and guards the loops' wait_service and the watchers' pidfd_waits as well, and
// what a watcher remembers of its handlers. No code of users runs while it is held. All members
// but the first two want it held.
class child_registry
{
public:
    static child_registry& instance();

    fork_mutex mutex;

    // Never used twice, and never 0. No lock is needed.
    std::uint64_t next_id() noexcept
    {
        return last_id_.fetch_add(1, std::memory_order_relaxed) + 1;
    }

    child_wait& add_wait(std::uint64_t id, pid_type pid);
    child_wait* find_wait(std::uint64_t id) noexcept;

    // Takes a wait out of the books.
    ended_wait take(child_wait& wait) noexcept;

    // Ties a wait to its child. Nothing: it is pending. An exit was kept for it; else an error.
    struct answer
    {
        error_code ec;
        std::optional<child_exit> kept;
    };
    answer tie(child_wait& wait);

    // Has the wait delivered by a loop; null: by none for now. An error ends it, on that loop.
    void move(child_wait& wait, wait_service* to);

    void end(child_wait& wait, const error_code& ec, const child_exit& exit = {}) noexcept;
    void end_all(child_record& child, const error_code& ec, const child_exit& exit = {}) noexcept;

    // A pidfd became readable, on the loop where it has this number: ends the child's waits if the
    // child can be reaped.
    void reap(std::uint64_t on_loop_id) noexcept;

    // Exits that were reaped and reached nobody. The oldest is dropped where there are too many.
    void keep(const child_exit& exit);
    std::optional<child_exit> take_kept(pid_type pid) noexcept;

    // The watchers there are, and the services that have an inner epoll, closed with the last one.
    void add_watcher() noexcept { ++watchers_; }
    void remove_watcher() noexcept;
    void add_service(wait_service& service);
    void remove_service(wait_service& service) noexcept;

    // Undoes the wait's tie to its child, which is forgotten with its last.
    void untie(child_wait& wait) noexcept;

private:
    struct key_hash
    {
        std::size_t operator()(const std::pair<unsigned, pid_type>& key) const noexcept
        {
            return static_cast<std::size_t>(key.second) * 31 + key.first;
        }
    };

    child_registry() = default;

    child_record* find_child(pid_type pid) noexcept;
    error_code watch(child_wait& wait, wait_service& service);
    void unwatch(child_wait& wait) noexcept;
    void forget_if_unused(child_record& child) noexcept;

    std::atomic<std::uint64_t> last_id_{0};
    std::size_t watchers_ = 0;
    // Nodes are reused: in the steady state a wait costs no call of malloc.
    std::pmr::unsynchronized_pool_resource pool_;
    std::pmr::unordered_map<std::uint64_t, child_wait> waits_{&pool_};
    std::pmr::unordered_map<std::uint64_t, child_on_loop> on_loops_{&pool_};
    std::pmr::unordered_map<std::pair<unsigned, pid_type>, child_record, key_hash> children_{
        &pool_};
    std::list<std::pair<unsigned, child_exit>> kept_;
    std::list<wait_service*> services_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
