// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_LOOP_RECORD_HPP
#define LOOPS_SRC_DETAIL_LOOP_RECORD_HPP

#include <loops/config.hpp>
#include <loops/detail/task_hook.hpp>

#include "detail/fork.hpp"
#include "detail/mailbox.hpp"
#include "detail/run_ledger.hpp"
#include "detail/task_lane.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

class event_loop;
class event_loop_policy;
class loop_guest;

namespace detail {

class virtual_time;

// What Loops knows of an io_context, ours or adopted. The record outlives the context: whoever
// names a loop (a thread's slot, a lease, a watcher) holds its record and finds `context()` null
// once the loop is closed or destroyed, and so never dangles.
class loop_record : public std::enable_shared_from_this<loop_record>
{
public:
    explicit loop_record(asio::io_context& context);

    loop_record(const loop_record&) = delete;
    loop_record& operator=(const loop_record&) = delete;

    asio::io_context* context() const noexcept { return context_.load(std::memory_order_acquire); }
    std::uint64_t id() const noexcept { return id_; }

    // False in a forked child, until the loop is run or made current there: what the parent's
    // thread was inside of is not running in the child.
    bool belongs_here() const noexcept;
    void make_belong_here() noexcept;

    // For messages: `loop 'web-3'`, or `adopted loop 7`.
    std::string describe() const;

    // Set once, by event_loop's constructor, before anybody else sees the record.
    void make_ours(event_loop& loop, std::string name, bool sole_runner);
    event_loop* ours() const noexcept { return ours_; }
    const std::string& name() const noexcept { return name_; }

    void set_policy(std::weak_ptr<event_loop_policy> policy, std::uint64_t core);
    std::shared_ptr<event_loop_policy> policy() const;
    // The number of the policy's core, which policies that wrap each other share; 0: it has none.
    std::uint64_t policy_core() const noexcept { return policy_core_; }

    // The time in which the loop is run; null: the real one.
    void set_time(std::weak_ptr<const virtual_time> time);
    std::shared_ptr<const virtual_time> time() const;

    // Other frameworks' loops, that runs of this one run as well. What they are has a version.
    void add_guest(std::shared_ptr<loop_guest> guest);
    void remove_guest(const loop_guest& guest) noexcept;
    std::size_t guests(std::vector<std::shared_ptr<loop_guest>>& all) const;
    std::size_t guests_version() const noexcept { return guests_version_; }
    bool has_guests() const noexcept { return has_guests_; }

    // One thread at a time has them run.
    bool begin_hosting() noexcept;
    void end_hosting() noexcept { hosting_ = 0; }
    // How many handlers ran since the guests had their turn; to whoever hosts them.
    std::size_t handlers_since_guests = 0;

    // Runs that Loops makes. enter() throws already_running or loop_closed; the last leave()
    // undoes a stop that came from request_stop(), and finds out what any other stop came from.
    void enter(run_frame& run);
    void leave(const run_frame& run) noexcept;
    bool is_running() const;
    std::size_t runners() const;
    bool is_run_by_callers() const;
    std::vector<pid_type> runner_threads() const;

    // Ends the runs under way; they do not leave the loop stopped.
    void stop_once();
    // Lets the loop be run on if it was stopped by request_stop(); false where it was not.
    // To a policy's thread that has seen so many of them: each of several goes on, once the runs of callers
    // have ended.
    bool undo_requested_stop(std::uint64_t& seen);
    std::uint64_t requested_stops() const;

    // A stop() of the user's, which sticks.
    void stop();

    bool is_stopped_by_user() const;

    // Inside of a run: restarts the loop where want of work had ended the runs before. A stop()
    // sticks, and so does want of work that Loops did not see: of a run not made through it.
    void resume();

    // Inside of a run that is to go on for what is no work of the loop's: restarts the loop where nothing but want of
    // work has stopped it.
    void go_on_without_work();

    // The run is about to let go of work that it held. Unless the loop is stopped now, only want of
    // work can stop it from here on.
    void let_go_of_work();

    // Marks the record closed unless a run is under way; false where it was closed already.
    bool begin_close();
    bool is_closed() const;

    // Calls `function` with the context, which lives as long as that takes; false where it is gone.
    // A fork waits meanwhile, so that no mutex of Asio's is inherited locked.
    bool while_alive(const std::function<void(asio::io_context&)>& function) const;

    // Turns the counting of runs on or off; false where it was so. And what was counted.
    bool count_runs(bool on);
    loop_stats run_stats() const;

    // The context is going: empties every slot that names it. Idempotent.
    void die() noexcept;

    // The same, and refuses the tasks that wait for their start, and destroys what is the loop's.
    void end() noexcept;

    // Values of loop_local, in the order of their making.
    void* find_local(std::uint64_t key, const std::function<std::shared_ptr<void>()>& make);

    // Spawned tasks that have not ended.
    void add_task(task_hook& task);
    void remove_task(task_hook& task) noexcept;
    void cancel_tasks();

    // While set, the end of the last task wakes a run of the loop.
    void set_finishing(bool on);

    // What waits to be delivered on the loop.
    mailbox& mail() noexcept { return mail_; }

    // Load, as far as Loops can see it.
    std::atomic<std::int64_t> leased{0};
    std::atomic<std::size_t> leases{0}; // how many there are, those of weight 0 included
    std::atomic<std::int64_t> tasks{0};

    // The index in the pool whose loop it is, for a look-up the other way: whoever reads it checks
    // that the pool has this record there.
    std::atomic<std::size_t> index_in_pool{0};

    // Threads that run handlers without a look at how they are to.
    std::atomic<unsigned> untimed_runs{0};

    run_ledger usage;

    std::int64_t load() const noexcept
    {
        return leased.load(std::memory_order_relaxed) + tasks.load(std::memory_order_relaxed);
    }

private:
    struct local
    {
        std::mutex making;
        std::atomic<std::thread::id> maker{std::thread::id()};
        std::shared_ptr<void> value;
    };

    friend class task_lane;

    void destroy_locals() noexcept;
    void remove_guests() noexcept;
    bool ran_out_of_work(asio::io_context& loop) const noexcept;
    bool has_runs_here() const noexcept;

    const std::uint64_t id_;
    std::atomic<asio::io_context*> context_;
    std::atomic<unsigned> generation_;
    mailbox mail_{*this};
    event_loop* ours_ = nullptr;
    std::string name_;
    bool sole_runner_ = false;

    std::atomic<std::uint64_t> policy_core_{0};
    std::atomic<std::size_t> guests_version_{0};
    std::atomic<bool> has_guests_{false};
    std::atomic<unsigned> hosting_{0}; // the fork generation of who does, and one more; 0: nobody

    fork_mutex& mutex_; // guards `usage`, and what follows
    std::weak_ptr<event_loop_policy> policy_;
    std::weak_ptr<const virtual_time> time_;
    std::vector<std::shared_ptr<loop_guest>> guests_;
    unsigned runners_generation_ = 0;
    bool entered_stopped_ = false; // by the first of the runs that are under way
    std::uint64_t requested_stops_ = 0;
    bool stopped_by_request_ = false;
    bool stopped_by_user_ = false;
    bool let_go_of_work_ = false;
    bool out_of_work_ = false; // why the loop is stopped
    bool finishing_ = false;
    bool closed_ = false;
    std::unordered_map<std::uint64_t, std::shared_ptr<local>> locals_;
    std::vector<std::shared_ptr<local>> locals_by_age_;
    boost::intrusive::list<task_hook, boost::intrusive::constant_time_size<false>> task_list_;
    task_lanes lanes_;
};

// The record of a loop; made, and the loop thereby known to Loops, at the first call for it.
std::shared_ptr<loop_record> record_of(asio::io_context& context);

// The same of a loop that is known; null where it is not.
std::shared_ptr<loop_record> known_record_of(asio::io_context& context);

// Every loop that Loops knows and that lives, in the order in which they became known.
std::vector<std::shared_ptr<loop_record>> known_loops();

// A number that changes whenever these do, or whose they are.
std::uint64_t known_loops_version() noexcept;

// Whether anything was asked of the loop that has not been done. Leaves it stopped where there is
// none, and not stopped where there is.
bool has_work(asio::io_context& loop);

// A known loop that the calling thread is inside of, by asking each. Where runs nest, `preferred`
// wins if it is among them.
asio::io_context* find_running(const asio::io_context* preferred) noexcept;

// A number that changes whenever an answer of get_event_loop() may have become wrong.
std::uint64_t loop_epoch() noexcept;
void next_loop_epoch() noexcept;

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
