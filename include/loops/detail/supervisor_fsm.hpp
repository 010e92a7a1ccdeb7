// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_SUPERVISOR_FSM_HPP
#define LOOPS_DETAIL_SUPERVISOR_FSM_HPP

#include <loops/child_exit.hpp>
#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/process/supervisor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// A process of a worker's.
struct worker_instance
{
    std::uint64_t id = 0;
    pid_type pid = 0;
    std::chrono::steady_clock::time_point since;
    bool ready = false;
    bool stopping = false;
    bool failed = false; // it is stopped for that
    std::optional<std::chrono::steady_clock::time_point>
        due;          // until when it must have shown that it is ready, or lives
    std::string text; // what it said of itself
};

// What a supervisor decides, without a process, a loop or a clock: it is told what happened and when, and
// asked what is to be done. Processes have numbers here, which are used once.
class LOOPS_DECL supervisor_fsm
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    // From 0, and below 1.
    using random_function = std::function<double()>;

    enum class action_kind : unsigned char
    {
        start,         // the worker's process
        stop,          // the process, by the ladder
        kill,          // the process
        change,        // of the worker's state
        ready_ended,   // who waits until all are ready is told
        restart_ended, // who waits for the rolling restart is told
        run_ended      // and whoever waits for anything
    };

    struct action
    {
        action_kind kind{};
        std::size_t worker = 0;
        std::uint64_t process = 0;
        error_code ec;
    };

    supervisor_fsm(const supervisor_options& options, std::size_t workers, random_function random);

    // What happened.

    void run();
    void started(std::uint64_t process, pid_type pid, time_point now);
    void not_started(std::uint64_t process, const error_code& ec, time_point now);
    void became_ready(std::uint64_t process, time_point now);
    void lives(std::uint64_t process, time_point now);
    void told(std::uint64_t process, std::string text);
    void ended(std::uint64_t process, const child_exit& exit, time_point now);
    void time_passed(time_point now);
    void stop(const error_code& reason);
    void kill(const error_code& reason);
    void restart();
    void cancel_restart() noexcept;
    void cancel_next_restart() noexcept; // the one that was asked for during this one
    void check_ready();                  // somebody has begun to wait for that

    // What is to be done, in order; each is given once.
    std::vector<action> take_actions();

    // When time_passed() is to be called; nothing: not for now.
    std::optional<time_point> deadline() const;

    bool is_idle() const noexcept { return phase_ == phase::idle; }
    bool is_restarting() const noexcept { return rolling_.has_value(); }
    std::size_t size() const noexcept { return workers_.size(); }
    worker_status status(std::size_t worker) const;

    // The processes that live and are not being stopped.
    std::vector<std::uint64_t> serving() const;

private:
    enum class phase : unsigned char
    {
        idle,
        running,
        stopping
    };

    using slot = std::optional<worker_instance>;

    // It has one process, but for a rolling restart, which brings another one before or after.
    struct member
    {
        slot serving;
        slot coming;
        slot leaving;
        bool wanted = false;    // it is to have a process
        bool replacing = false; // what serves is being stopped for another one
        std::optional<time_point> restart_at;
        unsigned quick_ends = 0; // in a row
        worker_status told;      // its counters, and what is known of the last process
    };

    struct place
    {
        std::size_t worker;
        slot member::*role;
    };

    static constexpr slot member::*roles[] = {&member::serving, &member::coming, &member::leaving};

    std::optional<place> find(std::uint64_t process) const;
    bool has_process(const member& it) const noexcept;
    bool is_settled(std::size_t index) const;

    void act(action_kind kind, std::size_t worker = 0, std::uint64_t process = 0,
        const error_code& ec = {});
    std::uint64_t start(std::size_t index, slot member::*role);
    void stop_process(std::size_t index, slot member::*role);
    void start_next();
    void stop_next();
    void on_ready(const place& where, time_point now);
    void lose(const place& where, bool failed, time_point now);
    void lose_serving(std::size_t index, const worker_instance& lost, bool failed, time_point now);
    void restart_later(std::size_t index, std::chrono::nanoseconds lived, time_point now);
    std::chrono::nanoseconds delay_after(member& it, std::chrono::nanoseconds lived);
    void replace(std::size_t index);
    void note_replacement(std::size_t index, std::uint64_t process);
    void replace_from(std::size_t index);
    void check_replaced(std::size_t index);
    void end_restart(const error_code& ec);
    void check_done();

    const supervisor_options& options_;
    const random_function random_;
    std::vector<member> workers_;
    std::vector<action> actions_;
    phase phase_ = phase::idle;
    error_code reason_; // what it is stopped for
    std::uint64_t last_process_ = 0;
    std::size_t started_ = 0;            // so many workers had their turn
    std::deque<time_point> restarts_;    // within the window
    std::optional<std::size_t> rolling_; // the worker whose turn it is
    std::uint64_t replacement_ = 0;      // its new process; 0: not started yet
    bool again_ = false;                 // once more after that
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
