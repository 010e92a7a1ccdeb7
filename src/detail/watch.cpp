// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// What the watching thread does with the loops of one watch.

#include "detail/crew.hpp"
#include "detail/log.hpp"
#include "detail/loop_probe.hpp"
#include "detail/loop_record.hpp"
#include "detail/loop_watcher.hpp"
#include "detail/parking_gate.hpp"
#include "detail/policy_core.hpp"

#include <algorithm>
#include <cstddef>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

using std::chrono::nanoseconds;

// How often a loop is asked for its lag where nobody watches it.
constexpr nanoseconds lag_interval = std::chrono::milliseconds(100);

// Of how many threads of a loop the stacks are taken for a report: each may take a tenth of a second.
constexpr std::size_t most_stacks = 8;

nanoseconds interval_of(const std::optional<loop_watch_options>& options)
{
    if (!options)
        return lag_interval;
    if (options->interval > nanoseconds(0))
        return options->interval;
    return std::max<nanoseconds>(options->threshold / 4, std::chrono::milliseconds(1));
}

double part_of(nanoseconds whole, nanoseconds part)
{
    if (whole <= nanoseconds(0))
        return 0;
    return std::clamp(
        static_cast<double>(part.count()) / static_cast<double>(whole.count()), 0.0, 1.0);
}

template <class Call>
void call_user(Call call)
{
    try
    {
        call();
    }
    catch (...)
    {
        log("a function that is told of blocked loops has thrown, which it must not");
    }
}

} // namespace

watch::target::target(const std::shared_ptr<loop_record>& loop, nanoseconds threshold)
    : record(loop), probe(std::make_shared<loop_probe>(loop)), fsm(threshold)
{}

watch::watch(watched what, std::optional<loop_watch_options> options)
    : what_(std::move(what)),
      options_(std::move(options)),
      interval_(interval_of(options_)),
      next_look_(clock::now())
{}

void watch::take_stacks_by(std::shared_ptr<const platform::stack_taker> taker) noexcept
{
    stacks_ = std::move(taker);
}

void watch::finish() noexcept
{
    over_ = true;
    if (!std::exchange(stacks_, nullptr))
        return;
    // Threads of policies block the signal again once the next answer is given.
    for (const auto& [number, it] : targets_)
        loop_probe::send(it.probe);
}

void watch::add(const std::shared_ptr<loop_record>& record)
{
    if (!record->belongs_here() || targets_.count(record->id()) != 0)
        return;
    bool can_be = false;
    record->while_alive([&](asio::io_context& loop) { can_be = can_be_probed(loop); });
    if (can_be)
        targets_.try_emplace(
            record->id(), record, options_ ? options_->threshold : nanoseconds::max());
}

void watch::refresh()
{
    if (what_.policy == nullptr)
    {
        const auto loop = what_.loop.lock();
        if (loop && known_version_ == 0)
            add(loop);
        known_version_ = 1;
        return;
    }
    for (const auto& each : what_.policy->threads()->loops())
        add(each);
    // Before they are looked through: what changes meanwhile is seen the next time.
    const std::uint64_t version = known_loops_version();
    if (std::exchange(known_version_, version) == version)
        return;
    for (const auto& each : known_loops())
    {
        if (each->policy_core() == what_.policy->number)
            add(each);
    }
}

void watch::look()
{
    // Not from now on: looks that came late are not made up for.
    next_look_ = clock::now() + interval_;
    refresh();
    for (auto next = targets_.begin(); next != targets_.end() && !over_;)
        next = look_at(next->second) ? std::next(next) : targets_.erase(next);
    if (what_.policy == nullptr && targets_.empty())
        over_ = true;
}

watch::sight watch::see(const target& it) const
{
    sight seen;
    seen.threads = it.record->runner_threads();
    if (seen.threads.empty() && it.answered_by != 0)
    {
        seen.threads.push_back(it.answered_by);
        seen.guessed = true;
    }
    it.record->while_alive([&](asio::io_context& loop) {
        seen.work = work_of(loop);
        seen.stopped = loop.stopped();
        seen.next = next_in_queue_of(loop);
        seen.run_key = run_key_of(loop);
    });
    return seen;
}

// False: the loop is gone.
bool watch::look_at(target& it)
{
    using action = blocked_loop_fsm::action;
    if (it.record->context() == nullptr)
        return false;
    sight seen;
    bool can_answer = true;
    const bool is_out = it.probe->is_out();
    const nanoseconds blocked_for =
        it.fsm.blocked_for(is_out ? clock::now() : it.probe->answered_at());
    if (!is_out)
    {
        it.answered_by = it.probe->answered_by();
    }
    else
    {
        it.record->usage.note_lag(clock::now() - it.probe->sent_at()); // so far
    }
    if (is_out && options_)
    {
        seen = see(it);
        can_answer = seen.can_answer() && !is_parked_here();
        it.went_on = it.went_on || seen.next != it.next;
        it.next = seen.next;
    }
    switch (it.fsm.next(clock::now(), is_out, can_answer))
    {
    case action::wait: return true;
    case action::look: remember(it, seen); return true;
    case action::report: tell_blocked(it, seen); return true;
    case action::recover:
        tell_recovered(it, blocked_for);
        return over_ || loop_probe::send(it.probe);
    case action::ask: break;
    }
    return loop_probe::send(it.probe);
}

void watch::remember(target& it, const sight& seen) const
{
    it.looked_at = clock::now();
    it.went_on = false;
    it.throttled = platform::times_throttled();
    it.threads.clear();
    for (const pid_type each : seen.threads)
    {
        if (const auto activity = platform::look_at(each))
            it.threads.emplace(each, *activity);
    }
}

std::optional<loop_report::thread> watch::describe(
    target& it, const sight& seen, pid_type thread, bool with_stack, bool throttled) const
{
    const auto now = platform::look_at(thread);
    if (!now)
        return std::nullopt;
    const nanoseconds between = clock::now() - it.looked_at;
    thread_facts facts;
    facts.runnable = now->runnable;
    facts.went_on = it.went_on;
    facts.throttled = throttled;
    facts.on_cpu = now->runnable ? 1 : 0;
    const auto before = it.threads.find(thread);
    if (before != it.threads.end())
    {
        const auto& was = before->second;
        facts.on_cpu = part_of(between, now->used.cpu - was.used.cpu);
        facts.waiting = part_of(between, now->waited - was.waited);
        facts.slept = now->used.sleeps != was.used.sleeps;
    }

    loop_report::thread told;
    told.id = thread;
    told.name = platform::name_of_thread(thread);
    told.cause = cause_of(facts);
    told.on_cpu = facts.on_cpu;
    told.waiting = facts.waiting;
    if (now->system_call)
        told.system_call = platform::system_call_name(*now->system_call);
    if (!options_->stacks)
        return told;
    if (!stacks_ || !with_stack)
    {
        told.no_stack =
            !stacks_ ? no_stacks_ : "taken of the first " + std::to_string(most_stacks) + " only";
        return told;
    }
    auto taken = stacks_->take(thread, {&is_inside_run, seen.run_key});
    if (seen.guessed && taken.why_not.empty() && !taken.answer)
        return std::nullopt;
    for (const void* const frame : taken.frames)
        told.stack.push_back(platform::describe_frame(frame));
    told.no_stack = std::move(taken.why_not);
    return told;
}

loop_report watch::make_report(target& it, const sight& seen) const
{
    loop_report report;
    report.loop = it.record->describe();
    report.blocked_for = it.fsm.blocked_for(clock::now());
    report.work = seen.work;
    const bool throttled = platform::times_throttled() != it.throttled;
    std::vector<loop_blockage> causes;
    for (const pid_type each : seen.threads)
    {
        const bool with_stack = report.threads.size() < most_stacks;
        if (auto told = describe(it, seen, each, with_stack, throttled))
        {
            causes.push_back(told->cause);
            report.threads.push_back(std::move(*told));
        }
    }
    report.cause = cause_of(causes);
    return report;
}

void watch::tell_blocked(target& it, const sight& seen)
{
    it.last = make_report(it, seen);
    remember(it, seen);
    const auto& tell = options_->on_blocked;
    call_user([&] { tell ? tell(it.last) : log(it.last.text()); });
}

void watch::tell_recovered(target& it, nanoseconds blocked_for)
{
    it.last.blocked_for = blocked_for;
    const auto& tell = options_->on_recovered;
    call_user([&] {
        if (tell)
            tell(it.last);
        else
            log(it.last.loop + " answers again, after " +
                std::to_string(blocked_for / std::chrono::milliseconds(1)) + " ms");
    });
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
