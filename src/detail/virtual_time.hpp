// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_VIRTUAL_TIME_HPP
#define LOOPS_SRC_DETAIL_VIRTUAL_TIME_HPP

#include <loops/config.hpp>
#include <loops/loop_clock.hpp>

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// While one lives, loop_clock tells the time that is kept here, which stands but for jumps. All in a process
// share that time; how its loops' runs let it jump is each one's own.
class virtual_time
{
public:
    // Idle: how long, in real time, its loops have nothing to run before the time jumps.
    virtual_time(bool jumps_by_itself, std::chrono::nanoseconds idle_time);
    virtual_time(const virtual_time&) = delete;
    virtual_time& operator=(const virtual_time&) = delete;
    ~virtual_time();

    static bool is_on() noexcept;
    static void advance(loop_clock::duration by);

    std::atomic<bool> jumps;
    const std::chrono::nanoseconds idle;
};

// The time does not jump while one lives.
class time_hold
{
public:
    time_hold();
    time_hold(const time_hold&) = delete;
    time_hold& operator=(const time_hold&) = delete;
    ~time_hold();
};

// A time at which a thread that no loop runs is to do something: the time jumps to it, not beyond.
class time_mark
{
public:
    explicit time_mark(loop_clock::time_point at);
    time_mark(const time_mark&) = delete;
    time_mark& operator=(const time_mark&) = delete;
    ~time_mark();

private:
    const loop_clock::time_point at_;
};

// As the condition variable's, by loop_clock.
template <class Lock, class Predicate>
bool wait_until(
    std::condition_variable& changed, Lock& lock, loop_clock::time_point at, Predicate predicate)
{
    if (!virtual_time::is_on())
        return changed.wait_until(lock, at, predicate);
    const time_mark mark(at);
    while (!predicate())
    {
        if (loop_clock::now() >= at)
            return false;
        changed.wait_for(lock, std::chrono::milliseconds(1));
    }
    return true;
}

// A time of loop_clock's for those who only know the real one.
loop_clock::time_point to_real_time(loop_clock::time_point at) noexcept;

class loop_mark;

// A run, by this thread, of a loop in virtual time. They nest.
class virtual_run
{
public:
    explicit virtual_run(std::shared_ptr<const virtual_time> time);
    virtual_run(const virtual_run&) = delete;
    virtual_run& operator=(const virtual_run&) = delete;
    ~virtual_run();

    // A handler has run.
    void ran() noexcept;

    // Runs a handler that is ready, or becomes so in a millisecond; else, if no run has anything to run, lets the time
    // jump to what is next, or to `deadline` if that is sooner. How many handlers ran.
    std::size_t run_one(
        asio::io_context& loop, const std::optional<loop_clock::time_point>& deadline);

    // Runs a handler that is ready. Where the time was moved on just now, waits until that is seen.
    std::size_t poll_one(asio::io_context& loop);

    // Asio is about to wait for that, for the sake of a timer of this thread's loop: how long it may.
    loop_clock::duration note(loop_clock::duration left);

    // Somebody on this thread looked at the clock: where no handler ran, Asio, which has a timer then.
    void note_look(loop_clock::time_point now) noexcept { looked_ = now; }

private:
    friend struct time_keeper;

    class inside;

    std::size_t ask(asio::io_context& loop);
    std::size_t look(asio::io_context& loop);

    const std::shared_ptr<const virtual_time> time_;
    virtual_run* const outer_;
    std::chrono::steady_clock::time_point idle_since_;
    std::chrono::steady_clock::time_point active_since_{}; // when `known_` became known
    std::uint64_t known_ = 0;                              // what had run anywhere
    std::optional<std::chrono::steady_clock::time_point>
        eager_since_;                              // the time jumps when it is known what is next
    std::optional<loop_clock::time_point> looked_; // the last look at the clock
    bool asking_ = false;                          // Asio for the next timer, and for nothing else
    loop_clock::time_point noted_ = loop_clock::time_point::max();
    // What the run last found, when nothing was ready: what is next, and how much had run anywhere before.
    loop_clock::time_point next_ = loop_clock::time_point::max();
    std::uint64_t seen_;
    const std::shared_ptr<loop_mark> mark_;
    std::atomic<std::chrono::steady_clock::rep> inside_since_{0}; // of Asio; 0: it is not
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
