// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_CHILD_REGISTRY_HPP
#define LOOPS_SRC_DETAIL_CHILD_REGISTRY_HPP

#include <loops/child_exit.hpp>
#include <loops/child_watcher.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>

#include "detail/child_records.hpp"
#include "detail/fork.hpp"
#include "detail/record_store.hpp"
#include "detail/record_table.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory_resource>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The books of the process: every wait, every child, every loop that watches some. Its mutex is
// held around forks, and guards the loops' wait_service and the watchers' child_waits as well, and
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

    // With what it is to call: moved from where nothing is thrown.
    child_wait& add_wait(std::uint64_t id, pid_type pid, bool is_handler, ended_wait& fresh);
    child_wait* find_wait(std::uint64_t id) noexcept;

    // Takes a wait out of the books.
    ended_wait take(child_wait& wait) noexcept;

    // The same, later, and with nothing to hold it meanwhile.
    void condemn(child_wait& wait, wait_list& condemned) noexcept;

    // Takes an ended wait for delivery. Of an added handler the exit stays in the books until it
    // is called or destroyed: until then it can be removed.
    ended_wait hand_over(child_wait& wait) noexcept;
    bool is_handed_over(std::uint64_t id) noexcept;
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

    // Ties a wait to its child. Nothing: it is pending. An exit was kept for it, which the caller
    // holds; else an error.
    struct answer
    {
        error_code ec;
        child_record* kept = nullptr;
    };
    answer tie(child_wait& wait, watching how);

    // Has the wait delivered by a loop; null: by none for now. An error ends it, on that loop.
    void move(child_wait& wait, wait_service* to) noexcept;

    // Ends a wait: with an error, or with an exit that the caller holds for it.
    void end(child_wait& wait, const error_code& ec) noexcept;
    void end(child_wait& wait, child_record& with_exit) noexcept;

    // Ends all that wait for a child. It is out of the books afterwards.
    void end_all(child_record& child, const error_code& ec) noexcept;
    void end_all(child_record& child, const child_exit& exit) noexcept;

    // What holds an exit for no wait yet.
    child_record& hold(const child_exit& exit);
    void release(child_record& exit) noexcept;

    // Null where no wait of this process is for that child.
    child_record* find_child(pid_type pid) noexcept;

    enum class look
    {
        quick,
        at_dead, // somebody has just seen it
        thorough // is what lives with its number the same process?
    };

    // Ends the child's waits if it is dead, or its status was taken; its record is gone then. False:
    // it is neither, or cannot be reaped yet.
    bool look_at(child_record& child, look how = look::quick) noexcept;

    // What an inner epoll calls a child, and the same for that: nothing where it was taken away since.
    static std::uint64_t epoll_id(const child_record& child) noexcept;
    void look_at(std::uint64_t epoll_id) noexcept;

    // Ends the waits for states of children that changed theirs: of those that this service looks at;
    // null: that the reaper does.
    void look_at_states(const wait_service* service) noexcept;

    // An exit that nobody waited for: kept for the next registration of its number.
    void keep(const child_exit& exit) noexcept;

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

    struct key_of_wait
    {
        using type = std::uint64_t;
        type operator()(const child_wait& wait) const noexcept { return wait.id; }
    };

    struct key_of_child
    {
        using type = child_key;
        type operator()(const child_record& child) const noexcept
        {
            return {child.generation, child.pid};
        }
    };

    child_registry() = default;

    static child_key key_of(pid_type pid) noexcept;
    bool is_same(child_record& child, watching how, error_code& ec) noexcept;
    error_code open_child(pid_type pid, watching how, int& pidfd) noexcept;
    child_record* add_child(pid_type pid, int pidfd);
    void end_lost(child_record& child) noexcept;
    void add_kept(child_wait& wait) noexcept;
    child_record* take_kept(pid_type pid) noexcept;
    void forget_exits(pid_type pid) noexcept;
    void loosen(child_wait& wait) noexcept;
    void untie(child_wait& wait) noexcept;
    void drop_added(child_wait& wait) noexcept;
    error_code watch(child_wait& wait, wait_service& service);
    error_code start_watch(child_watch& made, wait_service& service, const look_bounds& bounds);
    void unwatch(child_wait& wait) noexcept;
    child_watch* find_watch(child_record& child, wait_service& service, watching wanted) noexcept;
    child_watch& add_watch(child_record& child);
    void drop_watch(child_watch& watch) noexcept;
    wait_list forget(child_record& child) noexcept;
    void finish(child_wait& wait) noexcept;
    template <class How>
    void finish_all(wait_list& waits, How how) noexcept;
    ended_wait hand_out(child_wait& wait) noexcept;
    void tell_state(child_record& child, const child_exit& said) noexcept;

    std::atomic<std::uint64_t> last_id_{0};
    std::uint32_t last_sequence_ = 0;
    std::size_t watchers_ = 0;
    // In the steady state a wait costs no call of malloc.
    record_store<child_wait> wait_store_;
    record_store<child_record> child_store_;
    record_store<child_watch> watch_store_; // beside the children's own
    record_store<asio::any_completion_executor> executor_store_;
    record_table<child_wait, &child_wait::in_table, key_of_wait> waits_;
    record_table<child_record, &child_record::in_table, key_of_child, key_hash> children_;
    std::pmr::unsynchronized_pool_resource pool_;
    std::pmr::unordered_multimap<child_key, child_wait*, key_hash> added_{&pool_};
    std::map<std::uint64_t, child_wait*> state_waits_;
    wait_list kept_; // the oldest first, bounded
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
    wait_list waits_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
