// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_LOOP_WATCHER_HPP
#define LOOPS_SRC_DETAIL_LOOP_WATCHER_HPP

#include <loops/detail/blockage.hpp>
#include <loops/loop_watch.hpp>

#include "detail/fork.hpp"
#include "platform/thread_activity.hpp"
#include "platform/thread_stack.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class loop_probe;
class loop_record;
class policy_core;

// What is watched: a loop, or all loops that a policy has made, or runs.
struct watched
{
    std::weak_ptr<loop_record> loop;
    const policy_core* policy = nullptr; // it ends the watch before it goes
};

// One watch. All but the options is the watching thread's own.
class watch
{
public:
    using clock = std::chrono::steady_clock;

    // Without options the loops are only asked, for their lag.
    watch(watched what, std::optional<loop_watch_options> options);

    watch(const watch&) = delete;
    watch& operator=(const watch&) = delete;

    const std::optional<loop_watch_options>& options() const noexcept { return options_; }
    bool is_inherited() const noexcept { return generation_ != fork_generation(); }
    bool is_of(const std::shared_ptr<loop_record>& loop) const noexcept
    {
        return what_.loop.lock() == loop;
    }

    clock::time_point next_look() const noexcept { return next_look_; }

    // Asks each loop that has answered, and looks at those that have not.
    void look();

    // There is nothing left to watch.
    bool is_over() const noexcept { return over_; }

    // What takes the stacks; or why nothing does.
    void take_stacks_by(std::shared_ptr<const platform::stack_taker> taker) noexcept;
    void take_no_stacks(std::string why) { no_stacks_ = std::move(why); }

    // The watch ends: lets go of the signal. By the watching thread, or once that has left it.
    void finish() noexcept;

private:
    // A loop, and what was last seen of it.
    struct target
    {
        explicit target(
            const std::shared_ptr<loop_record>& loop, std::chrono::nanoseconds threshold);

        std::shared_ptr<loop_record> record;
        std::shared_ptr<loop_probe> probe;
        blocked_loop_fsm fsm;
        pid_type answered_by = 0; // the last time
        const void* next = nullptr;
        bool went_on = false;
        clock::time_point looked_at;
        std::uint64_t throttled = 0;
        std::map<pid_type, platform::thread_activity> threads;
        loop_report last;
    };

    // What is seen of a loop that has not answered.
    struct sight
    {
        std::vector<pid_type> threads;
        bool guessed = false; // the thread that ran it last: whether it still does is not known
        long work = 0;
        bool stopped = false;
        const void* next = nullptr;
        const void* run_key = nullptr;

        bool can_answer() const noexcept
        {
            return (!threads.empty() && !guessed) || (work > 0 && !stopped);
        }
    };

    void refresh();
    void add(const std::shared_ptr<loop_record>& record);
    bool look_at(target& it);
    sight see(const target& it) const;
    void remember(target& it, const sight& seen) const;
    loop_report make_report(target& it, const sight& seen) const;
    void tell_blocked(target& it, const sight& seen);
    void tell_recovered(target& it, std::chrono::nanoseconds blocked_for);
    std::optional<loop_report::thread> describe(
        target& it, const sight& seen, pid_type thread, bool with_stack, bool throttled) const;

    const watched what_;
    const std::optional<loop_watch_options> options_;
    const std::chrono::nanoseconds interval_;
    const unsigned generation_ = fork_generation();
    std::shared_ptr<const platform::stack_taker> stacks_;
    std::string no_stacks_;
    std::map<std::uint64_t, target> targets_; // by the number of the record
    std::uint64_t known_version_ = 0;
    clock::time_point next_look_;
    std::atomic<bool> over_{false};
};

// Begins a watch, on the thread that all watches of the process share and which the first one starts.
// Throws what loop_watch's constructor and event_loop_policy::watch_loops() do.
std::shared_ptr<watch> begin_watch(watched what, std::optional<loop_watch_options> options);

// Ends it: it makes no more calls once this has returned, unless it is called by one of them. The last
// one takes the thread with it. Null, or one that a forked child has inherited: nothing.
void end_watch(std::shared_ptr<watch> it) noexcept;

// The same, for a loop that is only asked for its lag.
void ask_for_lag(const std::shared_ptr<loop_record>& loop, bool on);

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
