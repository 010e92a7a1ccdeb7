// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/thread_slots.hpp"

#include <loops/error.hpp>

#include "detail/fork.hpp"
#include "detail/log.hpp"
#include "detail/loop_access.hpp"
#include "detail/loop_record.hpp"
#include "platform/system.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

std::atomic<std::uint64_t> next_table_id{1};

// Whether anything was ever asked of the loop that has not been done. Taking a unit of work away
// from a loop stops it when that was the last one.
bool has_work(event_loop& loop)
{
    loop.restart();
    asio::make_work_guard(loop).reset();
    return !loop.stopped();
}

void destroy(std::unique_ptr<event_loop> loop)
{
    if (!loop)
        return;
    if (!loop_access::has_own_thread(*loop) && !loop->is_closed() && has_work(*loop))
        log("loop '" + loop->name() + "', made on demand on what is now " +
            platform::describe_thread() +
            ", is destroyed with work that nobody ran; run it, or use a policy that does");
}

} // namespace

struct thread_slots::slot
{
    std::mutex mutex;
    std::unique_ptr<event_loop> made;
    std::shared_ptr<loop_record> current;
    bool never_make = false;
    unsigned generation = fork_generation();

    // The live current loop, or null; notes the death of one. Needs the mutex.
    asio::io_context* find()
    {
        if (generation != fork_generation())
            leave_to_parent();
        if (!current)
            return nullptr;
        asio::io_context* const loop = current->context();
        if (loop == nullptr)
        {
            current.reset();
            never_make = true;
        }
        return loop;
    }

    // In a forked child nothing of the parent's is current. Its loop is not destroyed: that could
    // take descriptors out of the epoll instance that both processes share.
    void leave_to_parent()
    {
        static auto& left = *new std::vector<std::unique_ptr<event_loop>>;
        if (made)
            left.push_back(std::move(made));
        current.reset();
        never_make = false;
        generation = fork_generation();
    }

    // Takes the thread's loop away for good.
    std::unique_ptr<event_loop> release() noexcept
    {
        const std::lock_guard lock(mutex);
        if (generation != fork_generation())
            leave_to_parent();
        current.reset();
        never_make = true;
        return std::move(made);
    }
};

// A thread's slots in all tables that it has used.
class thread_slots::thread_table
{
public:
    thread_table() = default;
    thread_table(const thread_table&) = delete;
    thread_table& operator=(const thread_table&) = delete;

    ~thread_table()
    {
        while (!slots_.empty())
        {
            const auto last = std::move(slots_.back().second);
            slots_.pop_back();
            destroy(last->release());
        }
        next_loop_epoch(); // what this thread remembers is gone
    }

    std::shared_ptr<slot> find(std::uint64_t table) const
    {
        const auto found = std::find_if(
            slots_.begin(), slots_.end(), [&](const auto& entry) { return entry.first == table; });
        return found == slots_.end() ? nullptr : found->second;
    }

    std::shared_ptr<slot> make(std::uint64_t table)
    {
        // Slots that nobody can find any more, left by tables that are gone.
        slots_.erase(std::remove_if(slots_.begin(), slots_.end(),
                         [](const auto& entry) {
                             return entry.second.use_count() == 1 && !entry.second->made;
                         }),
            slots_.end());
        slots_.emplace_back(table, std::make_shared<slot>());
        return slots_.back().second;
    }

private:
    std::vector<std::pair<std::uint64_t, std::shared_ptr<slot>>> slots_;
};

thread_slots::thread_table& thread_slots::this_thread()
{
    static thread_local thread_table table;
    return table;
}

thread_slots::thread_slots() : id_(next_table_id.fetch_add(1, std::memory_order_relaxed)) {}

thread_slots::~thread_slots()
{
    close();
}

std::shared_ptr<thread_slots::slot> thread_slots::mine() const
{
    return this_thread().find(id_);
}

asio::io_context* thread_slots::find() noexcept
{
    const auto here = mine();
    if (!here)
        return nullptr;
    const std::lock_guard lock(here->mutex);
    return here->find();
}

asio::io_context* thread_slots::find_or_make(const maker& make)
{
    auto here = mine();
    if (here)
    {
        const std::lock_guard lock(here->mutex);
        if (asio::io_context* const loop = here->find())
            return loop;
        if (here->never_make)
            return nullptr;
    }
    if (!make)
        return nullptr;
    // Made without a lock: a user's factory may come back here.
    std::unique_ptr<event_loop> made = make();
    set(made.get());
    here = mine();
    const std::lock_guard lock(here->mutex);
    here->made = std::move(made);
    return here->made.get();
}

void thread_slots::set(asio::io_context* loop)
{
    std::shared_ptr<loop_record> record = loop != nullptr ? record_of(*loop) : nullptr;
    if (record && record->context() == nullptr)
        throw_error(error::loop_closed, "setting " + record->describe() + " as current on " +
                                            platform::describe_thread() + "; make a new loop");
    auto here = mine();
    if (!here)
    {
        const std::lock_guard lock(mutex_);
        slots_.erase(std::remove_if(slots_.begin(), slots_.end(),
                         [](const auto& each) { return each.expired(); }),
            slots_.end());
        slots_.reserve(slots_.size() + 1);
        here = this_thread().make(id_);
        slots_.push_back(here);
    }
    {
        const std::lock_guard lock(here->mutex);
        here->find(); // in a forked child: leaves what is the parent's
        if (record)
            record->make_belong_here();
        here->never_make = record == nullptr;
        here->current = std::move(record);
    }
    next_loop_epoch();
}

void thread_slots::for_each(const std::function<void(event_loop&)>& visit) const
{
    const std::lock_guard lock(mutex_);
    for (const auto& each : slots_)
    {
        const auto found = each.lock();
        if (!found)
            continue;
        const std::lock_guard inner(found->mutex);
        if (found->made)
            visit(*found->made);
    }
}

void thread_slots::check_none_runs() const
{
    for_each([](event_loop& loop) {
        if (!loop_access::has_own_thread(loop) && loop.is_running())
            throw_error(error::already_running, "closing the policy of loop '" + loop.name() +
                                                    "' on " + platform::describe_thread() +
                                                    "; stop it and let its run return first");
    });
}

void thread_slots::close() noexcept
{
    auto loops = release();
    while (!loops.empty())
    {
        destroy(std::move(loops.back()));
        loops.pop_back();
    }
}

std::vector<std::unique_ptr<event_loop>> thread_slots::release() noexcept
{
    std::vector<std::weak_ptr<slot>> all;
    std::vector<std::unique_ptr<event_loop>> loops;
    const std::lock_guard lock(mutex_);
    if (left_)
        return loops;
    all.swap(slots_);
    for (const auto& each : all)
    {
        const auto found = each.lock();
        if (auto made = found ? found->release() : nullptr)
            loops.push_back(std::move(made));
    }
    next_loop_epoch();
    return loops;
}

void thread_slots::leave_to_threads() noexcept
{
    const std::lock_guard lock(mutex_);
    left_ = true;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
