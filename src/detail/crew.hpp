// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_CREW_HPP
#define LOOPS_SRC_DETAIL_CREW_HPP

#include <loops/policy.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <condition_variable>
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

// How one thread of a crew is to be.
struct crew_thread
{
    std::string name;
    std::optional<unsigned> cpu;
    std::function<void()> on_start;
    std::function<void()> on_stop;
};

// The threads that run a policy's loops: one loop by many, or many loops by one each. Threads hold
// the crew, never the policy.
class crew : public std::enable_shared_from_this<crew>
{
public:
    // Takes an exception that left a handler; true: go on with the loop, false: stop the crew.
    using exception_sink = std::function<bool(std::exception_ptr)>;

    explicit crew(exception_sink sink);

    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;

    // Starts a thread that runs `loop`, and waits until it is in its loop or has failed to get
    // there. Throws, and leaves nothing behind, where it cannot be started, pinned or run.
    void start(asio::io_context& loop, const crew_thread& how);

    // How often the crew was told to stop or drain.
    std::uint64_t stops() const;

    // Runs `loop` on the calling thread as a member of the crew, unless it was told to stop since
    // it had been told so `since` times. Rethrows as join() does.
    void run_here(asio::io_context& loop, std::uint64_t since);

    // Ends every run as soon as its present handler has returned.
    void stop();

    // Ends and joins the threads of one loop, which the crew then forgets. From inside of such a
    // thread: a broken precondition, and std::terminate.
    void remove(asio::io_context& loop) noexcept;

    // Waits for all threads; rethrows the first exception, once.
    void join();

    // The same, keeping the exception.
    void join_quietly() noexcept;

    // Lets the loops run out of work, keeping each reachable for the others, then stops them.
    drain_report drain(std::chrono::nanoseconds limit);

    // Whether the calling thread is a member.
    bool inside() const;

    // Whether any thread is running a loop.
    bool busy() const;

private:
    using guard = asio::executor_work_guard<asio::io_context::executor_type>;

    struct unit
    {
        std::shared_ptr<loop_record> record;
        asio::io_context* loop = nullptr;
        std::optional<guard> work;
        std::size_t members = 0;
    };

    struct member
    {
        std::shared_ptr<unit> of;
        std::thread thread;
        std::thread::id id;
        bool started = false;
        bool ended = false;
        bool idle = false;          // draining: out of work when last seen
        std::uint64_t wave = 0;     // draining: the last probe that came through
        std::uint64_t probes = 0;   // draining: how many did since the last count
        std::exception_ptr failure; // why it did not start
    };

    std::shared_ptr<unit> unit_of(asio::io_context& loop);
    void body(const std::shared_ptr<member>& self, const crew_thread& how);
    void leave(member& self);
    void run(member& self);
    bool run_dry(member& self);
    bool run_reachable(member& self);
    void count(member& self, std::uint64_t ran);
    bool excepted(const std::exception_ptr& exception);
    void forget_ended();
    void forget_inherited() const;
    bool all_idle() const;
    bool wait_for_quiet(
        std::unique_lock<std::mutex>& lock, std::chrono::steady_clock::time_point at);
    void stop_locked();

    const exception_sink sink_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    mutable std::list<std::shared_ptr<member>> members_;
    mutable std::vector<std::shared_ptr<unit>> units_;
    mutable unsigned generation_;
    std::exception_ptr first_exception_;
    std::uint64_t activity_ = 0;
    std::uint64_t wave_ = 0;
    std::uint64_t stops_ = 0;
    bool stopping_ = false;
    bool draining_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
