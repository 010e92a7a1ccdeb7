// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "detail/thread_slots.hpp"

#include <loops/error.hpp>

#include "detail/fork.hpp"
#include "detail/loop_access.hpp"
#include "detail/loop_record.hpp"
#include "detail/policy_core.hpp"
#include "detail/thread_state.hpp"
#include "platform/system.hpp"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// Only the calling thread's answer has changed: the others keep theirs, and take no lock for it.
void forget_answer() noexcept
{
    thread_state::of_this_thread().memo = nullptr;
}

} // namespace

// What a table and its slots share, for as long as there is either.
struct thread_slots::books
{
    fork_mutex mutex; // guards all of it, and all slots
    std::vector<std::weak_ptr<slot>> slots;
    bool table_gone = false;
};

struct thread_slots::slot
{
    explicit slot(std::shared_ptr<books> table) : of(std::move(table)) {}

    const std::shared_ptr<books> of;
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

    // In a forked child nothing of the parent's is current.
    void leave_to_parent()
    {
        leave_behind(std::shared_ptr<event_loop>(std::move(made)));
        current.reset();
        never_make = false;
        generation = fork_generation();
    }

    // Takes the thread's loop away for good. Needs the mutex.
    std::unique_ptr<event_loop> release() noexcept
    {
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

    // The thread's end.
    void close() noexcept
    {
        while (!slots_.empty())
        {
            const auto last = std::move(slots_.back());
            slots_.pop_back();
            std::unique_ptr<event_loop> made;
            {
                const std::lock_guard lock(last->of->mutex);
                made = last->release();
            }
            end_loop(std::move(made), true);
        }
        forget_answer();
    }

    std::shared_ptr<slot> find(const books& table) const
    {
        const auto found = std::find_if(slots_.begin(), slots_.end(),
            [&](const auto& each) { return each->of.get() == &table; });
        return found == slots_.end() ? nullptr : *found;
    }

    std::shared_ptr<slot> make(const std::shared_ptr<books>& table)
    {
        // Slots that nobody can find any more, and that nothing is kept in.
        slots_.erase(std::remove_if(slots_.begin(), slots_.end(),
                         [](const auto& each) {
                             const std::lock_guard lock(each->of->mutex);
                             return each->of->table_gone && !each->made;
                         }),
            slots_.end());
        slots_.push_back(std::make_shared<slot>(table));
        return slots_.back();
    }

private:
    std::vector<std::shared_ptr<slot>> slots_;
};

// What runs after the thread's own objects are destroyed, static ones included, has a table that
// is never destroyed.
thread_slots::thread_table& thread_slots::this_thread()
{
    static thread_local thread_table* current = nullptr;
    struct owner
    {
        thread_table table;
        owner() { current = &table; }
        owner(const owner&) = delete;
        owner& operator=(const owner&) = delete;
        ~owner()
        {
            auto late = std::make_shared<thread_table>();
            current = late.get();
            leave_behind(std::move(late));
            table.close();
        }
    };
    if (current == nullptr)
    {
        static thread_local owner it;
    }
    return *current;
}

thread_slots::thread_slots() : books_(std::make_shared<books>()) {}

thread_slots::~thread_slots()
{
    const std::lock_guard lock(books_->mutex);
    books_->table_gone = true;
}

std::shared_ptr<thread_slots::slot> thread_slots::mine() const
{
    return this_thread().find(*books_);
}

asio::io_context* thread_slots::find() noexcept
{
    const auto here = mine();
    if (!here)
        return nullptr;
    const std::lock_guard lock(books_->mutex);
    return here->find();
}

asio::io_context* thread_slots::find_or_make(const maker& make)
{
    if (const auto here = mine())
    {
        const std::lock_guard lock(books_->mutex);
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
    const auto here = mine();
    const std::lock_guard lock(books_->mutex);
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
    const bool is_new = !here;
    if (is_new)
        here = this_thread().make(books_);
    const std::lock_guard lock(books_->mutex);
    if (is_new)
    {
        auto& slots = books_->slots;
        slots.erase(std::remove_if(slots.begin(), slots.end(),
                        [](const auto& each) { return each.expired(); }),
            slots.end());
        slots.push_back(here);
    }
    here->find(); // in a forked child: leaves what is the parent's
    if (record)
        record->make_belong_here();
    here->never_make = record == nullptr;
    here->current = std::move(record);
    forget_answer();
}

void thread_slots::check_none_runs() const
{
    const std::lock_guard lock(books_->mutex);
    for (const auto& each : books_->slots)
    {
        const auto found = each.lock();
        if (!found || !found->made || found->generation != fork_generation())
            continue;
        const event_loop& loop = *found->made;
        if (!loop_access::has_own_thread(loop) && loop.is_running())
            throw_error(error::already_running, "closing the policy of loop '" + loop.name() +
                                                    "' on " + platform::describe_thread() +
                                                    "; stop it and let its run return first");
    }
}

std::vector<std::shared_ptr<loop_record>> thread_slots::all() const
{
    std::vector<std::shared_ptr<loop_record>> all;
    const std::lock_guard lock(books_->mutex);
    for (const auto& each : books_->slots)
    {
        const auto found = each.lock();
        if (found && found->find() != nullptr)
            all.push_back(found->current);
    }
    return all;
}

void thread_slots::close() noexcept
{
    auto loops = release();
    end_loops(loops, true);
}

std::vector<std::unique_ptr<event_loop>> thread_slots::release() noexcept
{
    std::vector<std::unique_ptr<event_loop>> loops;
    {
        const std::lock_guard lock(books_->mutex);
        for (const auto& each : books_->slots)
        {
            const auto found = each.lock();
            if (auto made = found ? found->release() : nullptr)
                loops.push_back(std::move(made));
        }
    }
    next_loop_epoch();
    return loops;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
