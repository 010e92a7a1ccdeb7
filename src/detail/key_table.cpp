// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/key_table.hpp"

#include <loops/error.hpp>

#include "detail/crew.hpp"
#include "detail/loop_access.hpp"
#include "detail/loop_record.hpp"
#include "detail/parking_gate.hpp"
#include "detail/policy_core.hpp"
#include "detail/thread_state.hpp"
#include "detail/virtual_time.hpp"
#include "platform/system.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

std::uint64_t new_table_id() noexcept
{
    static std::atomic<std::uint64_t> next{1};
    return next.fetch_add(1, std::memory_order_relaxed);
}

// Whether a loop that nobody runs has work; leaves it stopped only if it was.
bool waits_for_a_run(asio::io_context& loop)
{
    const bool was_stopped = loop.stopped();
    if (!has_work(loop))
    {
        if (!was_stopped)
            loop.restart();
        return false;
    }
    if (was_stopped)
        loop.stop();
    return true;
}

} // namespace

key_table::key_table(
    std::string name, std::shared_ptr<crew> threads, std::chrono::nanoseconds idle_after)
    : name_(std::move(name)),
      threads_(std::move(threads)),
      // A time that overflows the clock means none; a year is long enough to be that.
      idle_after_(std::min<std::chrono::nanoseconds>(idle_after, std::chrono::hours(8760))),
      id_(new_table_id())
{}

key_table::~key_table() = default;

key_table::entries::iterator key_table::find_locked(const key_question& of)
{
    const auto [first, last] = by_hash_.equal_range(of.hash);
    const auto found = std::find_if(first, last,
        [&](const auto& each) { return of.type->equal(each.second->key.get(), of.key); });
    return found == last ? entries_.end() : found->second;
}

// Puts a new entry there, which was made in `from`. Strong guarantee.
key_table::entries::iterator key_table::insert_locked(
    const key_question& of, const std::shared_ptr<const void>& key, entries& from)
{
    const auto it = from.begin();
    it->key = key;
    it->hash = of.hash;
    by_hash_.emplace(of.hash, it);
    entries_.splice(entries_.end(), from);
    touch(it);
    changed_.notify_all();
    return it;
}

// The live loop, or null; notes the death of one.
asio::io_context* key_table::loop_in(entry& it)
{
    asio::io_context* const loop = it.current ? it.current->context() : nullptr;
    it.emptied = loop == nullptr;
    return loop;
}

void key_table::touch(entries::iterator it)
{
    it->asked = false;
    if (idle_after_.count() == 0)
        return;
    it->used = loop_clock::now();
    entries_.splice(entries_.end(), entries_, it);
}

// What is given stays for whom it is given.
key_table::answer key_table::use(entry& it, const key_question& of)
{
    asio::io_context* const loop = loop_in(it);
    if (loop != nullptr && idle_after_.count() > 0)
    {
        if (of.scope != nullptr)
            of.scope->hold(id_, *loop);
        if (acquisition* const acquiring = thread_state::of_this_thread().acquiring)
            acquiring->given = lease(*loop, 0);
    }
    return {loop, it.emptied};
}

void key_table::check_open() const
{
    if (closed_)
        throw_error(error::policy_closed,
            "giving a key a loop on " + platform::describe_thread() + "; make a new policy");
}

key_table::answer key_table::find(const key_question& of)
{
    const std::lock_guard lock(mutex_);
    const auto found = find_locked(of);
    if (found == entries_.end())
        return {};
    touch(found);
    return use(*found, of);
}

key_table::answer key_table::find_or_keep(const key_question& of, std::unique_ptr<event_loop>& made)
{
    const auto key = of.type->copy(of.key);
    entries fresh(1);
    fresh.front().current = record_of(*made);
    const std::lock_guard lock(mutex_);
    check_open();
    const auto found = find_locked(of);
    if (found != entries_.end())
    {
        touch(found);
        return use(*found, of);
    }
    need_watcher();
    const answer given = use(fresh.front(), of);
    insert_locked(of, key, fresh)->made = std::move(made);
    return given;
}

void key_table::set(const key_question& of, asio::io_context* loop)
{
    std::shared_ptr<loop_record> record = loop != nullptr ? record_of(*loop) : nullptr;
    if (record && record->context() == nullptr)
        throw_error(error::loop_closed, "setting " + record->describe() + " as current on " +
                                            platform::describe_thread() + "; make a new loop");
    const auto key = of.type->copy(of.key);
    entries fresh(1);
    const std::lock_guard lock(mutex_);
    check_open();
    auto it = find_locked(of);
    if (it == entries_.end())
    {
        need_watcher();
        it = insert_locked(of, key, fresh);
    }
    if (record)
        record->make_belong_here();
    it->current = std::move(record);
    loop_in(*it);
    touch(it);
}

void key_table::take_out(entries::iterator it, entries& into) noexcept
{
    auto [each, last] = by_hash_.equal_range(it->hash);
    while (each != last && each->second != it)
        ++each;
    by_hash_.erase(each);
    into.splice(into.end(), entries_, it);
}

bool key_table::drop(const key_question& of)
{
    entries going;
    {
        const std::lock_guard lock(mutex_);
        const auto it = find_locked(of);
        if (it == entries_.end())
            return false;
        if (it->made && (record_of(*it->made)->is_run_by_callers() ||
                            (threads_ && threads_->inside(*it->made))))
            throw_error(error::already_running, "dropping loop '" + it->made->name() + "' on " +
                                                    platform::describe_thread() +
                                                    "; stop it and let its run return first");
        if (it->made && !threads_)
            record_of(*it->made)->begin_close(); // which refuses a run from here on
        take_out(it, going);
    }
    end(going);
    return true;
}

// Without the mutex: what is destroyed is the user's, too.
void key_table::end(entries& going) noexcept
{
    for (entry& each : going)
    {
        // What the table has begun to close.
        if (each.made && each.made->is_closed() && record_of(*each.made)->context() != nullptr)
            loop_access::finish_close(*each.made);
        end_loop(std::move(each.made), true);
    }
    going.clear();
}

std::size_t key_table::size() const
{
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

std::vector<std::shared_ptr<loop_record>> key_table::all(std::vector<lease>& held) const
{
    std::vector<std::shared_ptr<loop_record>> all;
    {
        const std::lock_guard lock(mutex_);
        for (const entry& each : entries_)
        {
            asio::io_context* const loop = each.current ? each.current->context() : nullptr;
            if (loop == nullptr)
                continue;
            held.emplace_back(*loop, 0);
            all.push_back(each.current);
        }
    }
    std::sort(
        all.begin(), all.end(), [](const auto& a, const auto& b) { return a->id() < b->id(); });
    // A loop may have been set for several keys.
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

void key_table::check_none_runs() const
{
    const std::lock_guard lock(mutex_);
    if (watcher_.get_id() == std::this_thread::get_id())
        throw_error(error::already_running,
            "closing a policy on " + platform::describe_thread() +
                ", which drops an idle loop of it; do it from another thread");
    for (const entry& each : entries_)
    {
        if (each.made && record_of(*each.made)->is_run_by_callers())
            throw_error(error::already_running, "closing the policy of loop '" + each.made->name() +
                                                    "' on " + platform::describe_thread() +
                                                    "; stop it and let its run return first");
    }
}

std::vector<std::unique_ptr<event_loop>> key_table::release()
{
    std::thread watcher;
    entries going;
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        changed_.notify_all();
        watcher.swap(watcher_);
        by_hash_.clear();
        going.splice(going.end(), going_);
        going.splice(going.end(), entries_);
    }
    if (watcher.get_id() == std::this_thread::get_id())
        watcher.detach(); // a loop that it dropped held the policy; it does nothing after that
    else if (watcher.joinable())
        watcher.join();
    std::vector<std::unique_ptr<event_loop>> loops;
    for (entry& each : going)
    {
        if (each.made)
            loops.push_back(std::move(each.made));
    }
    std::sort(loops.begin(), loops.end(),
        [](const auto& a, const auto& b) { return record_of(*a)->id() < record_of(*b)->id(); });
    return loops;
}

// --- dropping idle loops ---

void key_table::need_watcher()
{
    if (idle_after_.count() > 0 && !watcher_.joinable())
        watcher_ = platform::start_thread([keep = shared_from_this()] { keep->watch(); });
}

void key_table::watch()
{
    platform::name_thread(name_ + "-idle");
    lock_type lock(mutex_);
    while (!closed_)
    {
        wait_for_idle(lock);
        lock.unlock();
        entries idle;
        const unparked here;
        lock.lock();
        if (!here)
        {
            changed_.wait_for(lock, std::chrono::milliseconds(10)); // until the fork is over
            continue;
        }
        judge(idle);
        lock.unlock();
        end(idle);
        lock.lock();
    }
}

void key_table::wait_for_idle(lock_type& lock)
{
    while (!closed_ && going_.empty())
    {
        if (entries_.empty())
        {
            changed_.wait(lock);
            continue;
        }
        const auto at = entries_.front().used + idle_after_;
        if (at <= loop_clock::now())
            return;
        const auto first = entries_.begin();
        wait_until(changed_, lock, at, [&] {
            return closed_ || !going_.empty() || entries_.begin() != first ||
                   first->used + idle_after_ != at;
        });
    }
}

void key_table::judge(entries& idle)
{
    if (closed_)
        return;
    idle.splice(idle.end(), going_);
    const auto now = loop_clock::now();
    for (std::size_t left = entries_.size(); left > 0 && judge_oldest(now, idle); --left)
        ;
}

// Takes the least recently used loop out if it is idle; else it counts as used now. False: that
// was not long ago.
bool key_table::judge_oldest(loop_clock::time_point now, entries& idle)
{
    const auto it = entries_.begin();
    if (it->used + idle_after_ > now)
        return false;
    touch(it);
    if (!is_idle(*it))
        return true;
    it->asked = threads_ && threads_->let_idle(*it->made);
    if (it->asked)
        return true;
    try
    {
        if (!waits_for_a_run(*it->made) && (!threads_ || threads_->withdraw(*it->made)) &&
            it->current->begin_close())
            take_out(it, idle);
    }
    catch (const system_error&) // somebody has begun to run it
    {}
    return true;
}

// As far as can be told from outside of its run.
bool key_table::is_idle(const entry& it) const
{
    // A loop of somebody else's, or none, is not ours to drop.
    return it.made && it.current && it.current->context() == it.made.get() &&
           it.current->leases.load(std::memory_order_acquire) == 0 && it.current->tasks == 0 &&
           !record_of(*it.made)->is_run_by_callers();
}

bool key_table::ends(const loop_record& loop) noexcept
{
    const std::lock_guard lock(mutex_);
    const auto it = std::find_if(entries_.begin(), entries_.end(),
        [&](const entry& each) { return each.current.get() == &loop; });
    if (it == entries_.end() || closed_ || !it->asked || !is_idle(*it) || has_work(*it->made))
        return false;
    take_out(it, going_);
    changed_.notify_all();
    return true;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
