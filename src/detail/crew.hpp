// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_CREW_HPP
#define LOOPS_SRC_DETAIL_CREW_HPP

#include <loops/policy.hpp>

#include "detail/fork.hpp"
#include "detail/virtual_time.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class loop_record;

// How one thread of a crew is to be. The hooks run inside of the loop's context.
struct crew_thread
{
    std::string name;
    std::optional<unsigned> cpu;
    std::function<void()> on_start;
    std::function<void()> on_stop;
    // Asked on the thread when the loop is out of work after let_idle(): true, and the thread ends.
    // Must not throw.
    std::function<bool()> on_idle = nullptr;
    // For how long the thread polls the loop before it sleeps.
    std::chrono::nanoseconds spin{0};
};

// The threads that run a policy's loops: one loop by many, or many loops by one each. Threads hold
// the crew, never the policy. In a forked child a crew is left behind for a new one; what still
// names the parent's finds nobody in it.
class crew : public std::enable_shared_from_this<crew>
{
public:
    // Takes an exception that left a handler; true: go on with the loop, false: stop the crew.
    using exception_sink = std::function<bool(std::exception_ptr)>;

    explicit crew(exception_sink sink);

    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;

    // Starts a thread that runs `loop`, and waits until it is in its loop or has failed to get
    // there; unless the crew was told to stop since it had been told so `since` times, as may
    // happen between the starts of several threads. Throws, and leaves nothing behind, where the
    // thread cannot be started, pinned or run, or the crew is closed.
    void start(asio::io_context& loop, const crew_thread& how, std::uint64_t since);

    // Starts a thread once a stop or drain that is under way is over, and once more at each
    // restart(), until the loop is removed.
    void keep_running(asio::io_context& loop, const crew_thread& how);
    void restart();

    // How often the crew was told to stop, drain or close, or was stopped by an exception.
    std::uint64_t stops() const noexcept { return stops_.load(std::memory_order_acquire); }

    // Runs `loop` on the calling thread as a member of the crew, unless it was told to stop since
    // it had been told so `since` times. Rethrows as join() does.
    void run_here(asio::io_context& loop, std::uint64_t since);

    // Has the thread of a loop ask its crew_thread::on_idle once the loop is out of work. False: the
    // loop has no thread.
    bool let_idle(const asio::io_context& loop);

    // Has restart() leave a loop alone that has no thread. False: it has one.
    bool withdraw(const asio::io_context& loop);

    // Waits until the crew is told to stop, drain or close, unless it was since it had been told so
    // `since` times.
    void wait_for_stop(std::uint64_t since);

    // Ends every run as soon as its present handler has returned.
    void stop();

    // The same, for good: nothing is started or run any more.
    void close();

    // Waits until a stop or drain that is under way has ended every run. Throws already_running
    // from inside of one of these.
    void settle();

    // Ends and joins the threads of one loop, which the crew then forgets. From inside of such a
    // thread: a broken precondition, and std::terminate.
    void remove(asio::io_context& loop) noexcept;

    // Waits for all threads; rethrows the first exception, once.
    void join();

    // The same, keeping the exception.
    void join_quietly() noexcept;

    // The first exception, if nobody has had it; null otherwise.
    std::exception_ptr take_exception() noexcept;

    // Lets the loops run out of work, keeping each reachable for the others, then stops them.
    drain_report drain(std::chrono::nanoseconds limit);

    // Whether the calling thread is a member, of any loop or of this one.
    bool inside() const noexcept;
    bool inside(const asio::io_context& loop) const noexcept;

    // The loops that threads are, or are about to be, in a run of for the crew.
    std::vector<std::shared_ptr<loop_record>> loops() const;

    // Whether any thread is running a loop.
    bool busy() const;

    // How many threads are, or are about to be, in one loop's run for the crew.
    std::size_t members_in(const asio::io_context& loop) const;

private:
    using guard = asio::executor_work_guard<asio::io_context::executor_type>;
    using lock_type = std::unique_lock<std::mutex>;
    using time_point = loop_clock::time_point;

    // A loop that is run.
    struct unit
    {
        std::shared_ptr<loop_record> record;
        asio::io_context* loop = nullptr;
        std::optional<guard> work;
        std::size_t members = 0;
        bool let_idle = false; // it holds no work of ours until its thread has asked
        bool removed = false;
        // In a drain: out of work when all members were last seen, and nothing has come since.
        bool idle = false;
        std::size_t out = 0;     // members that found it out of work this time
        std::uint64_t round = 0; // how often it was
    };

    struct member
    {
        std::shared_ptr<unit> of;
        std::thread thread;
        std::thread::id id;
        bool started = false;
        bool ended = false;
        bool own_thread = false; // the crew's, not a caller's
        std::function<bool()> on_idle;
        std::chrono::nanoseconds spin{0};
        std::uint64_t requested_stops = 0; // of the loop, that it has seen
        std::size_t probes = 0;            // in a drain: how many of its handlers were only that
        std::exception_ptr failure;        // why it did not start
    };

    struct post
    {
        asio::io_context* loop;
        crew_thread how;
    };

    bool is_inherited() const noexcept { return generation_ != fork_generation(); }

    void start_locked(lock_type& lock, asio::io_context& loop, const crew_thread& how);
    std::shared_ptr<member> add_member(asio::io_context& loop);
    std::shared_ptr<unit> unit_of(asio::io_context& loop);
    void body(const std::shared_ptr<member>& self, const crew_thread& how);
    void leave(member& self);
    void run(member& self);
    bool goes_on(lock_type& lock, member& self) const;
    static bool undo_requested_stop(lock_type& lock, member& self);
    bool excepted(const std::exception_ptr& exception);
    void fail(const std::exception_ptr& exception);
    void stop_locked();
    void settle_locked(lock_type& lock);
    void join_ended(lock_type& lock);
    void forget_ended();

    // Drains.
    bool stays_in_drain(lock_type& lock, member& self);
    void found_dry(unit& it);
    void count_in_drain(member& self);
    bool all_idle() const;
    void probe_all();
    bool wait_for_quiet(lock_type& lock, time_point at);

    const exception_sink sink_;
    const unsigned generation_;
    mutable fork_mutex mutex_;
    std::condition_variable changed_;
    std::list<std::shared_ptr<member>> members_;
    std::vector<std::shared_ptr<unit>> units_;
    std::vector<post> posts_;
    std::exception_ptr first_exception_;
    std::atomic<std::uint64_t> stops_{0};
    std::uint64_t activity_ = 0;        // handlers that ran in a drain on loops that had been idle
    std::optional<time_hold> standing_; // while all loops are idle in a drain
    bool stopping_ = false;
    bool draining_ = false;
    bool closed_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
