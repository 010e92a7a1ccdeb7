// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "watcher/process_waits.hpp"

#include "platform/linux/child.hpp"
#include "platform/linux/pidfd.hpp"
#include "platform/posix/descriptor.hpp"
#include "platform/pressure.hpp"
#include "platform/process_usage.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

constexpr process_metric metrics[] = {process_metric::resident_memory, process_metric::cpu_share,
    process_metric::descriptors, process_metric::threads};

std::optional<double> limit_of(const process_limits& limits, process_metric which)
{
    const auto as_double = [](const auto& limit) {
        return limit ? std::optional<double>(static_cast<double>(*limit)) : std::nullopt;
    };
    switch (which)
    {
    case process_metric::resident_memory: return as_double(limits.resident_memory);
    case process_metric::cpu_share: return limits.cpu_share;
    case process_metric::descriptors: return as_double(limits.descriptors);
    case process_metric::threads: break;
    }
    return as_double(limits.threads);
}

bool has_any(const process_limits& limits)
{
    return std::any_of(std::begin(metrics), std::end(metrics),
        [&](process_metric each) { return limit_of(limits, each).has_value(); });
}

// Times that overflow the clock mean none; a year is long enough to be that.
process_watch_options bounded(process_watch_options options)
{
    const std::chrono::nanoseconds most = std::chrono::hours(8760);
    options.interval = std::min(options.interval, most);
    options.status_patience = std::min(options.status_patience, most);
    return options;
}

bool make_sense(const process_limits& limits)
{
    const double share = limits.cpu_share.value_or(0);
    return share >= 0 && std::isfinite(share) && limits.relief >= 0 && limits.relief <= 1;
}

} // namespace

std::shared_ptr<process_waits> process_waits::make(const process_watch_options& options)
{
    if (options.interval <= std::chrono::nanoseconds(0) ||
        options.status_patience < std::chrono::nanoseconds(0))
        throw_error(make_error_code(boost::system::errc::invalid_argument),
            "making a watcher of processes; its interval has to be more than 0, its patience for a "
            "status 0 or more");
    error_code ec;
    const int epoll = platform::make_epoll(ec);
    if (ec)
        throw_error(ec, "making a watcher of processes: epoll_create1");
    return attached_waits::make<process_waits>(epoll, options);
}

process_waits::process_waits(int epoll, const process_watch_options& options)
    : event_waits(epoll),
      options_(bounded(options)),
      pressure_error_(make_error_code(boost::system::errc::operation_not_supported)),
      looked_at_all_(loop_clock::now())
{
    if (!options_.pressure)
        return;
    pressure_ = platform::open_memory_pressure(pressure_error_);
    if (!pressure_error_)
        platform::epoll_add_priority(epoll, pressure_, 0, pressure_error_);
}

process_waits::~process_waits()
{
    for (const auto& [number, it] : processes_)
        platform::close_descriptor(it.pidfd);
    platform::close_descriptor(pressure_);
}

// The one that has the number now.
process_waits::watched_map::iterator process_waits::find(pid_type pid)
{
    const auto found = std::find_if(processes_.rbegin(), processes_.rend(),
        [pid](const auto& each) { return each.second.pid == pid; });
    return found == processes_.rend() ? processes_.end() : std::prev(found.base());
}

void process_waits::add_process(
    pid_type pid, int pidfd, const process_limits& limits, error_code& ec)
{
    watched fresh;
    fresh.pid = pid;
    fresh.pidfd = pidfd;
    fresh.limits = limits;
    error_code refused;
    change(ec, [&] {
        if (!make_sense(limits))
        {
            refused = make_error_code(boost::system::errc::invalid_argument);
            return;
        }
        const bool is_alive = platform::stage_of(pidfd) == platform::process_stage::alive;
        auto before = find(pid);
        // An older one, whose number came to this one: its end is told.
        if (before != processes_.end() && is_alive &&
            platform::stage_of(before->second.pidfd) != platform::process_stage::alive)
            before = processes_.end();
        if (before != processes_.end())
        {
            fresh.last = before->second.last;
            fresh.is_above = before->second.is_above;
        }
        if (has_any(limits) && is_alive)
        {
            if (const auto now = take_sample(fresh, refused))
                fresh.last = now;
        }
        if (refused)
            return;
        const auto added = processes_.emplace(last_number_ + 1, fresh).first;
        platform::epoll_add(descriptor(), pidfd, added->first, refused);
        if (refused)
        {
            processes_.erase(added);
            return;
        }
        ++last_number_;
        fresh.pidfd = -1;
        if (before != processes_.end())
            forget(before);
        judge(added->second);
    });
    platform::close_descriptor(fresh.pidfd);
    if (!ec)
        ec = refused;
}

bool process_waits::remove_process(pid_type pid)
{
    bool found = false;
    error_code unusable;
    change(unusable, [&] {
        const auto it = find(pid);
        found = it != processes_.end();
        if (found)
            forget(it);
    });
    return found;
}

std::vector<pid_type> process_waits::processes() const
{
    return read([this] {
        std::vector<pid_type> all;
        for (const auto& [number, it] : processes_)
            all.push_back(it.pid);
        return all;
    });
}

process_sample process_waits::sample(pid_type pid, error_code& ec)
{
    process_sample taken;
    error_code refused;
    change(ec, [&] {
        const auto it = find(pid);
        std::optional<process_sample> now;
        if (it != processes_.end())
            now = take_sample(it->second, refused);
        if (!now)
        {
            refused = make_error_code(boost::system::errc::no_such_process);
            return;
        }
        taken = *now;
        it->second.last = taken;
        judge(it->second);
    });
    if (!ec)
        ec = refused;
    return taken;
}

void process_waits::forget(watched_map::iterator it) noexcept
{
    platform::epoll_remove(descriptor(), it->second.pidfd);
    platform::close_descriptor(it->second.pidfd);
    processes_.erase(it);
}

void process_waits::look(std::size_t)
{
    std::array<std::uint64_t, 64> numbers{};
    const std::size_t count = platform::epoll_take(descriptor(), numbers.data(), numbers.size());
    for (std::size_t i = 0; i != count; ++i)
    {
        const auto it = processes_.find(numbers[i]);
        if (it != processes_.end())
            look_for_end(it);
    }
    for (auto each = processes_.begin(); each != processes_.end();)
    {
        const auto present = each++;
        if (present->second.ended_at)
            look_for_end(present);
    }
    // The note of pressure is gone as soon as an epoll has looked whether there is one: it is what nothing else
    // explains. io_uring's look leaves it there.
    const bool is_pressed =
        pressure_ >= 0 &&
        (count == 0 || std::count(numbers.data(), numbers.data() + count, std::uint64_t(0)) > 0);
    if (is_pressed || loop_clock::now() >= looked_at_all_ + options_.interval)
        look_at_all();
}

void process_waits::look_for_end(watched_map::iterator it)
{
    watched& process = it->second;
    const auto stage = platform::stage_of(process.pidfd);
    if (stage == platform::process_stage::alive)
        return;
    auto exit = platform::peek_at_child({process.pid, process.pidfd});
    if (!exit && stage == platform::process_stage::reaped)
    {
        const auto status = platform::exit_status(process.pidfd);
        if (status)
            exit.emplace(process.pid, *status);
    }
    const auto now = loop_clock::now();
    process.ended_at = process.ended_at.value_or(now);
    if (!exit && stage == platform::process_stage::ended &&
        now < *process.ended_at + options_.status_patience)
        return;
    process_event event;
    event.pid = process.pid;
    event.sample = process.last.value_or(process_sample());
    event.exit = exit;
    events_.push_back(std::move(event));
    forget(it);
}

void process_waits::look_at_all()
{
    looked_at_all_ = loop_clock::now();
    for (auto& [number, it] : processes_)
    {
        if (has_any(it.limits) && !it.ended_at)
            look_at(it);
    }
}

void process_waits::look_at(watched& it)
{
    error_code ignored;
    const auto now = take_sample(it, ignored);
    if (!now)
        return; // its end is told
    it.last = now;
    judge(it);
}

// Nothing where the process has ended: the number may be another one's by now.
std::optional<process_sample> process_waits::take_sample(watched& it, error_code& ec) const
{
    const auto usage = platform::usage_of_process(it.pid);
    process_sample now;
    now.at = std::chrono::steady_clock::now();
    error_code uncounted;
    now.descriptors = platform::count_descriptors(it.pid, uncounted);
    if (uncounted && it.last)
        now.descriptors = it.last->descriptors;
    if (!usage || platform::stage_of(it.pidfd) != platform::process_stage::alive)
        return std::nullopt;
    if (uncounted && it.limits.descriptors && !it.last)
        ec = uncounted;
    now.resident_memory = usage->resident_memory;
    now.cpu_time = usage->cpu_time;
    now.threads = usage->threads;
    if (it.last && now.at > it.last->at)
        now.cpu_share = std::chrono::duration<double>(now.cpu_time - it.last->cpu_time) /
                        std::chrono::duration<double>(now.at - it.last->at);
    return now;
}

void process_waits::judge(watched& it)
{
    for (const process_metric each : metrics)
    {
        const auto limit = limit_of(it.limits, each);
        bool& is_above = it.is_above[static_cast<std::size_t>(each)];
        if (!limit)
            is_above = false;
        if (!limit || !it.last)
            continue;
        const double value = it.last->value(each);
        const bool was_above = is_above;
        is_above = value > (was_above ? *limit * (1 - it.limits.relief) : *limit);
        if (is_above == was_above)
            continue;
        process_event event;
        event.what = is_above ? process_event::kind::above : process_event::kind::below;
        event.pid = it.pid;
        event.metric = each;
        event.sample = *it.last;
        events_.push_back(std::move(event));
    }
}

std::optional<process_event> process_waits::take()
{
    if (events_.empty())
        return std::nullopt;
    std::optional<process_event> taken(std::move(events_.front()));
    events_.pop_front();
    return taken;
}

std::optional<loop_clock::time_point> process_waits::next_look() const
{
    std::optional<loop_clock::time_point> next;
    const auto add = [&](loop_clock::time_point at) { next = std::min(next.value_or(at), at); };
    for (const auto& [number, it] : processes_)
    {
        if (it.ended_at)
            add(*it.ended_at + options_.status_patience);
        else if (has_any(it.limits))
            add(looked_at_all_ + options_.interval);
    }
    return next;
}

void process_waits::clear() noexcept
{
    while (!processes_.empty())
        forget(processes_.begin());
    events_.clear();
    platform::close_descriptor(std::exchange(pressure_, -1));
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
