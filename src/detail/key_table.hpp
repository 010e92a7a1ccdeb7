// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_KEY_TABLE_HPP
#define LOOPS_SRC_DETAIL_KEY_TABLE_HPP

#include <loops/detail/keyed.hpp>
#include <loops/event_loop.hpp>
#include <loops/loop_clock.hpp>

#include "detail/fork.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class crew;
class loop_record;

// A key that is asked for.
struct key_question
{
    const void* key;
    std::size_t hash;
    const key_type* type;
    const key_scope_node* scope; // where the key comes from one
};

// A policy's table of one loop a key, in one process; a forked child makes another. Drops loops that
// have been idle for a time, by a thread of its own.
//
// What is idle was not used for that time, and has no lease, task, caller's run or other work. A use,
// and the lease that comes of it, is noted under the mutex, under which a loop is also judged and
// taken out of the table. Asio tells of a loop's work only when nobody is in it; where a thread of
// the crew runs it, the crew lets it run out of work, and that thread judges, by ends().
class key_table : public std::enable_shared_from_this<key_table>
{
public:
    // What a key has.
    struct answer
    {
        asio::io_context* loop = nullptr;
        bool emptied = false; // a loop was taken away, or has died
    };

    // `threads` run the loops; null: callers do. No idle loop is dropped for a time of 0.
    key_table(std::string name, std::shared_ptr<crew> threads, std::chrono::nanoseconds idle_after);

    key_table(const key_table&) = delete;
    key_table& operator=(const key_table&) = delete;
    ~key_table();

    // Gives a key's loop, and notes the use.
    answer find(const key_question& of);

    // The same; where the key has none, it has `made` from then on, which is null afterwards. Throws
    // policy_closed in a closed table.
    answer find_or_keep(const key_question& of, std::unique_ptr<event_loop>& made);

    // Makes `loop` the key's; null empties its slot. Throws loop_closed and policy_closed.
    void set(const key_question& of, asio::io_context* loop);

    // Forgets a key and ends the loop that was made for it. False: there is no such key. Throws
    // already_running where somebody runs that loop who will not be waited for.
    bool drop(const key_question& of);

    // Asked by the thread of a loop that is out of work: whether the loop is idle. If so it is not in
    // the table any more, and is ended once the thread has.
    bool ends(const loop_record& loop) noexcept;

    std::size_t size() const;

    // The live loops, in the order in which they became known, and leases that keep them.
    std::vector<std::shared_ptr<loop_record>> all(std::vector<lease>& held) const;

    // Throws already_running where a caller runs a loop that was made for a key, or where the
    // calling thread is the one that drops idle loops.
    void check_none_runs() const;

    // Empties the table, for good, and hands out the loops that were made, the oldest first.
    std::vector<std::unique_ptr<event_loop>> release();

private:
    struct entry
    {
        std::shared_ptr<const void> key;
        std::size_t hash = 0;
        std::unique_ptr<event_loop> made;
        std::shared_ptr<loop_record> current;
        bool emptied = false;
        bool asked = false; // its thread, whether it is idle; nobody has used it since
        loop_clock::time_point used{};
    };
    using entries = std::list<entry>;
    using lock_type = std::unique_lock<std::mutex>;

    entries::iterator find_locked(const key_question& of);
    entries::iterator insert_locked(
        const key_question& of, const std::shared_ptr<const void>& key, entries& from);
    answer use(entry& it, const key_question& of);
    void touch(entries::iterator it);
    void take_out(entries::iterator it, entries& into) noexcept;
    void check_open() const;
    void need_watcher();
    void watch();
    void wait_for_idle(lock_type& lock);
    void judge(entries& idle);
    bool judge_oldest(loop_clock::time_point now, entries& idle);
    bool is_idle(const entry& it) const;

    static asio::io_context* loop_in(entry& it);
    static void end(entries& going) noexcept;

    const std::string name_;
    const std::shared_ptr<crew> threads_;
    const std::chrono::nanoseconds idle_after_;
    const std::uint64_t id_;

    mutable fork_mutex mutex_; // guards what follows
    std::condition_variable changed_;
    entries entries_; // where idle ones are dropped: the least recently used first
    std::unordered_multimap<std::size_t, entries::iterator> by_hash_;
    entries going_; // their threads are about to end
    std::thread watcher_;
    bool closed_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
