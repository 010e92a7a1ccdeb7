// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/detail/supervisor_fsm.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

using std::chrono::nanoseconds;

bool succeeded(const child_exit& exit) noexcept
{
    return exit.exited() && exit.exit_code() == 0;
}

bool is_due(
    const std::optional<supervisor_fsm::time_point>& at, supervisor_fsm::time_point now) noexcept
{
    return at && *at <= now;
}

} // namespace

supervisor_fsm::supervisor_fsm(
    const supervisor_options& options, std::size_t workers, random_function random)
    : options_(options), random_(std::move(random)), workers_(workers)
{}

std::vector<supervisor_fsm::action> supervisor_fsm::take_actions()
{
    return std::exchange(actions_, {});
}

void supervisor_fsm::act(
    action_kind kind, std::size_t worker, std::uint64_t process, const error_code& ec)
{
    actions_.push_back({kind, worker, process, ec});
}

std::optional<supervisor_fsm::place> supervisor_fsm::find(std::uint64_t process) const
{
    for (std::size_t index = 0; index != workers_.size(); ++index)
    {
        for (const auto role : roles)
        {
            const slot& each = workers_[index].*role;
            if (each && each->id == process)
                return place{index, role};
        }
    }
    return std::nullopt;
}

bool supervisor_fsm::has_process(const member& it) const noexcept
{
    return it.serving || it.coming || it.leaving;
}

// Whether nothing about it need be waited for.
bool supervisor_fsm::is_settled(std::size_t index) const
{
    const member& it = workers_[index];
    return index < started_ &&
           (!it.wanted || (it.serving && it.serving->ready && !it.serving->stopping));
}

void supervisor_fsm::run()
{
    phase_ = phase::running;
    reason_ = {};
    started_ = 0;
    restarts_.clear();
    again_ = false;
    for (member& each : workers_)
        each = member();
    start_next();
    check_done(); // with no worker
}

std::uint64_t supervisor_fsm::start(std::size_t index, slot member::*role)
{
    member& it = workers_[index];
    worker_instance& fresh = (it.*role).emplace();
    fresh.id = ++last_process_;
    ++it.told.starts;
    act(action_kind::start, index, fresh.id);
    return fresh.id;
}

void supervisor_fsm::start_next()
{
    while (phase_ == phase::running && started_ != workers_.size())
    {
        if (options_.in_order && started_ > 0 && !is_settled(started_ - 1))
            return;
        workers_[started_].wanted = true;
        start(started_++, &member::serving);
    }
}

void supervisor_fsm::started(std::uint64_t process, pid_type pid, time_point now)
{
    const auto where = find(process);
    if (!where)
        return;
    member& owner = workers_[where->worker];
    auto& it = *(owner.*where->role);
    it.pid = pid;
    it.since = now;
    owner.told.last_error = {};
    act(action_kind::change, where->worker);
    if (options_.ready == readiness::none)
        on_ready(*where, now);
    else if (!it.stopping && options_.ready_timeout > nanoseconds(0))
        it.due = now + options_.ready_timeout;
}

void supervisor_fsm::not_started(std::uint64_t process, const error_code& ec, time_point now)
{
    const auto where = find(process);
    if (!where)
        return;
    member& owner = workers_[where->worker];
    owner.told.last_error = ec;
    (owner.*where->role)->since = now; // it lived for no time
    lose(*where, true, now);
}

void supervisor_fsm::became_ready(std::uint64_t process, time_point now)
{
    const auto where = find(process);
    if (where && !(workers_[where->worker].*where->role)->ready)
        on_ready(*where, now);
}

void supervisor_fsm::on_ready(const place& where, time_point now)
{
    member& owner = workers_[where.worker];
    worker_instance& it = *(owner.*where.role);
    if (it.stopping)
        return; // it was late
    it.ready = true;
    it.due.reset();
    if (options_.watchdog > nanoseconds(0))
        it.due = now + options_.watchdog;
    if (where.role == &member::coming)
    {
        owner.leaving = std::exchange(owner.serving, std::exchange(owner.coming, std::nullopt));
        stop_process(where.worker, &member::leaving);
    }
    act(action_kind::change, where.worker);
    check_replaced(where.worker);
    start_next();
    check_ready();
}

void supervisor_fsm::lives(std::uint64_t process, time_point now)
{
    const auto where = find(process);
    if (!where)
        return;
    auto& it = *(workers_[where->worker].*where->role);
    if (it.ready && it.due)
        it.due = now + options_.watchdog;
}

void supervisor_fsm::told(std::uint64_t process, std::string text)
{
    const auto where = find(process);
    if (!where)
        return;
    (workers_[where->worker].*where->role)->text = std::move(text);
    act(action_kind::change, where->worker);
}

void supervisor_fsm::ended(std::uint64_t process, const child_exit& exit, time_point now)
{
    const auto where = find(process);
    if (!where)
        return;
    member& owner = workers_[where->worker];
    owner.told.last_exit = exit;
    lose(*where, (owner.*where->role)->failed || !succeeded(exit), now);
}

// A process that has ended, or was not started.
void supervisor_fsm::lose(const place& where, bool failed, time_point now)
{
    member& owner = workers_[where.worker];
    const worker_instance lost = *std::exchange(owner.*where.role, std::nullopt);
    const bool was_asked = lost.stopping && !lost.failed;
    if (failed && !was_asked)
        ++owner.told.failures;
    act(action_kind::change, where.worker);
    if (where.role == &member::serving)
        lose_serving(where.worker, lost, failed, now);
    if (where.role == &member::leaving && rolling_ == where.worker && replacement_ == 0)
        replace(where.worker); // which waited for that
    check_replaced(where.worker);
    start_next();
    check_ready();
    if (phase_ == phase::stopping)
        stop_next();
    check_done();
}

void supervisor_fsm::lose_serving(
    std::size_t index, const worker_instance& lost, bool failed, time_point now)
{
    member& it = workers_[index];
    const bool goes_on = phase_ == phase::running;
    const bool again = options_.restart == restart_policy::always ||
                       (options_.restart == restart_policy::on_failure && failed);
    if (goes_on && std::exchange(it.replacing, false))
        note_replacement(index, start(index, &member::serving));
    else if (goes_on && it.coming)
        it.serving = std::exchange(it.coming, std::nullopt);
    else if (goes_on && again)
        restart_later(index, now - lost.since, now);
    else
        it.wanted = false;
}

void supervisor_fsm::restart_later(std::size_t index, nanoseconds lived, time_point now)
{
    member& it = workers_[index];
    while (!restarts_.empty() && restarts_.front() <= now - options_.restart_window)
        restarts_.pop_front();
    if (options_.most_restarts > 0 && restarts_.size() == options_.most_restarts)
    {
        it.wanted = false;
        return stop(error::restart_limit);
    }
    if (options_.most_restarts > 0)
        restarts_.push_back(now);
    it.restart_at = now + delay_after(it, lived);
}

nanoseconds supervisor_fsm::delay_after(member& it, nanoseconds lived)
{
    const restart_backoff& backoff = options_.backoff;
    if (lived >= backoff.steady)
    {
        it.quick_ends = 0;
        return nanoseconds(0);
    }
    const auto longest = static_cast<double>(backoff.longest.count());
    auto delay = static_cast<double>(backoff.first.count());
    for (unsigned each = 0; each != it.quick_ends && delay < longest; ++each)
        delay *= backoff.factor;
    ++it.quick_ends;
    delay = std::min(delay, longest) * (1 - backoff.jitter * random_());
    return nanoseconds(static_cast<nanoseconds::rep>(delay));
}

void supervisor_fsm::time_passed(time_point now)
{
    for (std::size_t index = 0; index != workers_.size(); ++index)
    {
        member& it = workers_[index];
        if (is_due(it.restart_at, now))
        {
            it.restart_at.reset();
            ++it.told.restarts;
            start(index, &member::serving);
        }
        for (const auto role : roles)
        {
            slot& each = it.*role;
            if (!each || !is_due(each->due, now))
                continue;
            each->failed = true;
            stop_process(index, role);
        }
    }
}

std::optional<supervisor_fsm::time_point> supervisor_fsm::deadline() const
{
    std::optional<time_point> first;
    const auto heed = [&](const std::optional<time_point>& at) {
        if (at && (!first || *at < *first))
            first = at;
    };
    for (const member& each : workers_)
    {
        heed(each.restart_at);
        for (const auto role : roles)
        {
            if (each.*role)
                heed((each.*role)->due);
        }
    }
    return first;
}

void supervisor_fsm::stop_process(std::size_t index, slot member::*role)
{
    slot& it = workers_[index].*role;
    if (!it || it->stopping)
        return;
    it->stopping = true;
    it->due.reset();
    act(action_kind::stop, index, it->id);
    act(action_kind::change, index);
}

void supervisor_fsm::stop(const error_code& reason)
{
    if (phase_ != phase::running)
        return;
    phase_ = phase::stopping;
    reason_ = reason;
    again_ = false;
    rolling_.reset();
    const auto aborted = make_error_code(asio::error::operation_aborted);
    act(action_kind::restart_ended, 0, 0, aborted);
    act(action_kind::ready_ended, 0, 0, aborted);
    for (std::size_t index = 0; index != workers_.size(); ++index)
    {
        member& it = workers_[index];
        it.replacing = false;
        if (std::exchange(it.restart_at, std::nullopt))
            act(action_kind::change, index);
        if (!it.serving)
            it.wanted = false;
        stop_process(index, &member::coming);
    }
    stop_next();
    check_done();
}

// From the last one on: all, or, in order, those that the first one alive waits for.
void supervisor_fsm::stop_next()
{
    for (std::size_t index = workers_.size(); index-- > 0;)
    {
        stop_process(index, &member::serving);
        if (options_.in_order && has_process(workers_[index]))
            return;
    }
}

void supervisor_fsm::kill(const error_code& reason)
{
    if (phase_ == phase::idle)
        return;
    stop(reason);
    for (std::size_t index = 0; index != workers_.size(); ++index)
    {
        for (const auto role : roles)
        {
            slot& each = workers_[index].*role;
            if (!each)
                continue;
            each->stopping = true;
            each->due.reset();
            act(action_kind::kill, index, each->id);
        }
    }
}

void supervisor_fsm::restart()
{
    if (rolling_)
        again_ = true;
    else if (phase_ == phase::running)
        replace_from(0);
}

void supervisor_fsm::cancel_next_restart() noexcept
{
    again_ = false;
}

void supervisor_fsm::cancel_restart() noexcept
{
    rolling_.reset();
    again_ = false;
}

void supervisor_fsm::replace_from(std::size_t index)
{
    while (index != workers_.size() && !workers_[index].wanted)
        ++index; // it has ended, or its turn is yet to come
    if (index == workers_.size())
        return end_restart({});
    rolling_ = index;
    replace(index);
}

void supervisor_fsm::replace(std::size_t index)
{
    member& it = workers_[index];
    replacement_ = 0;
    if (it.leaving || it.replacing)
        return; // of a restart that was cancelled: it goes on when that has ended
    if (!it.serving)
    {
        it.restart_at.reset();
        replacement_ = start(index, &member::serving);
    }
    else if (it.coming)
    {
        replacement_ = it.coming->id; // of a restart that was cancelled
    }
    else if (options_.overlap && !it.serving->stopping)
    {
        replacement_ = start(index, &member::coming);
    }
    else
    {
        it.replacing = true;
        stop_process(index, &member::serving);
    }
}

// The new process of a worker whose old one was stopped for it.
void supervisor_fsm::note_replacement(std::size_t index, std::uint64_t process)
{
    if (rolling_ == index)
        replacement_ = process;
}

// Goes on with the next worker where that one has its new process, and the old one has ended.
void supervisor_fsm::check_replaced(std::size_t index)
{
    if (rolling_ != index || replacement_ == 0)
        return;
    const member& it = workers_[index];
    const bool is_coming = it.coming && it.coming->id == replacement_;
    const bool is_serving = it.serving && it.serving->id == replacement_;
    if (!is_coming && !is_serving)
        end_restart(error::worker_failed);
    else if (is_serving && it.serving->ready && !it.leaving)
        replace_from(index + 1);
}

void supervisor_fsm::end_restart(const error_code& ec)
{
    rolling_.reset();
    act(action_kind::restart_ended, 0, 0, ec);
    if (std::exchange(again_, false))
        replace_from(0);
}

void supervisor_fsm::check_ready()
{
    if (phase_ != phase::running)
        return;
    for (std::size_t index = 0; index != workers_.size(); ++index)
    {
        if (!is_settled(index))
            return;
    }
    act(action_kind::ready_ended);
}

void supervisor_fsm::check_done()
{
    const auto is_active = [this](const member& it) { return it.wanted || has_process(it); };
    const bool active = std::any_of(workers_.begin(), workers_.end(), is_active);
    if (phase_ == phase::idle || active ||
        (phase_ == phase::running && started_ != workers_.size()))
        return;
    phase_ = phase::idle;
    rolling_.reset();
    act(action_kind::run_ended, 0, 0, reason_);
}

worker_status supervisor_fsm::status(std::size_t worker) const
{
    const auto& it = workers_.at(worker);
    worker_status made = it.told;
    const slot& shown = it.serving ? it.serving : it.leaving;
    if (shown)
    {
        made.pid = shown->pid;
        made.since = shown->since;
        made.text = shown->text;
        made.state = shown->stopping ? worker_state::stopping
                     : shown->ready  ? worker_state::ready
                                     : worker_state::starting;
    }
    else if (it.restart_at)
    {
        made.state = worker_state::backing_off;
    }
    return made;
}

std::vector<std::uint64_t> supervisor_fsm::serving() const
{
    std::vector<std::uint64_t> all;
    for (const member& each : workers_)
    {
        for (const auto role : roles)
        {
            if (each.*role && !(each.*role)->stopping)
                all.push_back((each.*role)->id);
        }
    }
    return all;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
