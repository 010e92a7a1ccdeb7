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

// A hook knows no list: what is linked can be taken out of whichever it is in.
using list_hook =
    boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

template <class T, list_hook T::*Hook>
using linked_list = boost::intrusive::list<T, boost::intrusive::member_hook<T, list_hook, Hook>,
    boost::intrusive::constant_time_size<false>>;

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

enum class wait_stage
{
    pending,     // it has a child
    ended,       // its end is queued on its service, or kept where it has none
    handed_over, // an added handler that left the service: what is left is its exit
    kept_exit,   // of an added handler that was removed: for the next registration
    condemned    // about to be destroyed uncalled
};

// One wait, or what is left of it.
struct child_wait
{
    std::uint64_t id = 0;
    pid_type pid = 0;
    unsigned generation = 0;
    wait_stage stage = wait_stage::pending;
    bool has_executor = false; // of its own: it does not follow the watcher's attachment
    bool is_handler = false;
    bool reused = false; // the kernel gave its number to another child
    ended_wait end;
    child_record* child = nullptr;
    child_on_loop* watched = nullptr; // null while no loop watches the child for this wait
    wait_service* service = nullptr;  // null while the watcher is detached: it is kept
    pidfd_waits* owner = nullptr;
    list_hook in_child;
    list_hook in_stage; // the service's ended waits, the kept exits, the condemned
    list_hook in_owner;

    // Whether it ended with an exit that whoever asks for its number may be given.
    bool has_exit() const noexcept
    {
        return stage != wait_stage::pending && !end.ec && end.exit.pid() != 0 && !reused;
    }
};

using stage_list = linked_list<child_wait, &child_wait::in_stage>;

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

    child_wait& add_wait(std::uint64_t id, pid_type pid, bool is_handler);
    child_wait* find_wait(std::uint64_t id) noexcept;

    // Takes a wait out of the books.
    ended_wait take(child_wait& wait) noexcept;

    // The same, later, and with nothing to hold it meanwhile.
    void condemn(child_wait& wait, stage_list& condemned) noexcept;

    // Takes an ended wait for delivery. Of an added handler the exit stays in the books until it
    // is called or destroyed: until then it can be removed.
    ended_wait hand_over(child_wait& wait) noexcept;
    void forget_handed_over(std::uint64_t id) noexcept;

    // Takes an added handler's wait out; an exit that it has is kept for the next registration.
    ended_wait withdraw(child_wait& wait) noexcept;

    // The waits of added handlers for a number, and kept exits, of this process.
    template <class Function>
    void each_added(pid_type pid, Function function)
    {
        auto [next, last] = added_.equal_range(key_of(pid));
        while (next != last)
            function(*(next++)->second); // which may take it out
    }

    // Ties a wait to its child. Nothing: it is pending. An exit was kept for it; else an error.
    struct answer
    {
        error_code ec;
        std::optional<child_exit> kept;
    };
    answer tie(child_wait& wait);

    // Has the wait delivered by a loop; null: by none for now. An error ends it, on that loop.
    void move(child_wait& wait, wait_service* to) noexcept;

    void end(child_wait& wait, const error_code& ec, const child_exit& exit = {}) noexcept;
    void end_all(child_record& child, const error_code& ec, const child_exit& exit = {}) noexcept;

    // A pidfd became readable, on the loop where it has this number: ends the child's waits if the
    // child can be reaped.
    void reap(std::uint64_t on_loop_id) noexcept;

    // The watchers there are, and the services that have an inner epoll, closed with the last one.
    void add_watcher() noexcept { ++watchers_; }
    void remove_watcher() noexcept;
    void add_service(wait_service& service);
    void remove_service(wait_service& service) noexcept;

private:
    using child_key = std::pair<unsigned, pid_type>; // fork generation, pid

    struct key_hash
    {
        std::size_t operator()(const child_key& key) const noexcept
        {
            return static_cast<std::size_t>(key.second) * 31 + key.first;
        }
    };

    child_registry() = default;

    static child_key key_of(pid_type pid) noexcept;
    child_record* find_child(pid_type pid) noexcept;
    child_record* add_child(pid_type pid, int pidfd);
    std::optional<child_exit> take_kept(pid_type pid) noexcept;
    void forget_exits(pid_type pid) noexcept;
    void loosen(child_wait& wait) noexcept;
    void untie(child_wait& wait) noexcept;
    void drop_added(child_wait& wait) noexcept;
    error_code watch(child_wait& wait, wait_service& service);
    void unwatch(child_wait& wait) noexcept;
    void forget_if_unused(child_record& child) noexcept;

    std::atomic<std::uint64_t> last_id_{0};
    std::size_t watchers_ = 0;
    // Nodes are reused: in the steady state a wait costs no call of malloc.
    std::pmr::unsynchronized_pool_resource pool_;
    std::pmr::unordered_map<std::uint64_t, child_wait> waits_{&pool_};
    std::pmr::unordered_map<std::uint64_t, child_on_loop> on_loops_{&pool_};
    std::pmr::unordered_map<child_key, child_record, key_hash> children_{&pool_};
    std::pmr::unordered_multimap<child_key, child_wait*, key_hash> added_{&pool_};
    stage_list kept_; // the oldest first, bounded
    std::size_t kept_count_ = 0;
    std::list<wait_service*> services_;
};

// Waits that are destroyed uncalled, with the mutex free, when this goes.
class condemned_waits
{
public:
    condemned_waits() = default;
    condemned_waits(const condemned_waits&) = delete;
    condemned_waits& operator=(const condemned_waits&) = delete;
    ~condemned_waits();

    // With the mutex held.
    void add(child_wait& wait) noexcept { child_registry::instance().condemn(wait, waits_); }

private:
    stage_list waits_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
