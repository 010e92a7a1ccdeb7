// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/priority_executor.hpp>

#include "detail/loop_record.hpp"
#include "detail/priority_service.hpp"
#include "detail/random.hpp"

#include <boost/asio/execution/blocking.hpp>

#include <iterator>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

template <class T>
class priority_service::slot_allocator
{
public:
    using value_type = T;

    explicit slot_allocator(slot& in) noexcept : slot_(&in) {}

    template <class U>
    slot_allocator(const slot_allocator<U>& other) noexcept : slot_(other.slot_)
    {}

    T* allocate(std::size_t)
    {
        static_assert(sizeof(T) <= sizeof slot_->room && alignof(T) <= alignof(std::max_align_t));
        return reinterpret_cast<T*>(slot_->room);
    }

    // The ticket says when the slot is free: under the lock that it takes anyway.
    void deallocate(T*, std::size_t) noexcept {}

    template <class U>
    bool operator==(const slot_allocator<U>& other) const noexcept
    {
        return slot_ == other.slot_;
    }

    template <class U>
    bool operator!=(const slot_allocator<U>& other) const noexcept
    {
        return slot_ != other.slot_;
    }

private:
    template <class U>
    friend class slot_allocator;

    slot* slot_;
};

class priority_service::ticket
{
public:
    ticket(priority_service& queue, slot& in) noexcept : queue_(&queue), slot_(&in) {}

    void operator()() const { queue_->run_best(*slot_); }

private:
    priority_service* queue_;
    slot* slot_;
};

asio::execution_context::id priority_service::id;

priority_service& priority_service::of(asio::io_context& loop)
{
    auto& context = static_cast<asio::execution_context&>(loop);
    const auto record = known_record_of(loop);
    if (record != nullptr && record->is_closed())
        throw_error(error::loop_closed, "giving out an executor with a priority for " +
                                            record->describe() +
                                            "; take one of a loop that is open");
    return asio::use_service<priority_service>(context);
}

priority_service::priority_service(asio::execution_context& owner)
    : service(owner), executor_(static_cast<asio::io_context&>(owner).get_executor())
{
    int priority = 0;
    for (priority_level& each : levels_)
        each = {this, priority++};
    for (slot& each : slots_)
        each.next_free = std::exchange(free_, &each);
}

priority_service::~priority_service() = default;

void priority_service::limit_ageing(std::uint64_t most)
{
    const std::lock_guard lock(mutex_);
    order_.limit_ageing(most);
}

void priority_service::shuffle(std::uint64_t seed)
{
    const std::lock_guard lock(mutex_);
    if (!random_)
        random_ = seed;
}

void priority_service::enqueue(
    int priority, priority_operation& operation, bool is_continuation) noexcept
{
    const auto at = static_cast<std::size_t>(priority);
    std::unique_lock lock(mutex_);
    if (shut_)
    {
        lock.unlock();
        operation.destroy();
        return;
    }
    waiting_[at].push_back(operation);
    order_.add(at);
    if (tickets_ == most_tickets)
        return;
    slot& in = take_slot();
    lock.unlock();
    post_ticket(in, is_continuation);
}

priority_service::slot& priority_service::take_slot() noexcept
{
    ++tickets_;
    return *std::exchange(free_, free_->next_free);
}

void priority_service::post_ticket(slot& in, bool is_continuation) noexcept
{
    namespace execution = asio::execution;
    const auto to = asio::require(
        executor_, execution::blocking.never, execution::allocator(slot_allocator<void>(in)));
    if (is_continuation)
        asio::require(to, execution::relationship.continuation).execute(ticket(*this, in));
    else
        to.execute(ticket(*this, in));
}

void priority_service::run_best(slot& came_from)
{
    std::unique_lock lock(mutex_);
    priority_operation& operation = take_from(waiting_[order_.take()]);
    const bool more = order_.waiting() >= tickets_;
    if (!more)
    {
        --tickets_;
        came_from.next_free = std::exchange(free_, &came_from);
    }
    lock.unlock();
    // Before the call: that may take long, throw, or run the loop itself.
    if (more)
        post_ticket(came_from, false);
    operation.call();
}

// Which is the first, but where the order is shuffled: there a look at half of them is no matter.
priority_operation& priority_service::take_from(operations& level) noexcept
{
    auto before = level.before_begin();
    if (random_)
    {
        const auto bits = static_cast<std::uint32_t>(next_random(*random_) >> 32);
        std::advance(before, scale(bits, level.size()));
    }
    priority_operation& taken = *std::next(before);
    level.erase_after(before);
    return taken;
}

void priority_service::shutdown()
{
    std::array<operations, priority_fsm::most_levels> doomed;
    {
        const std::lock_guard lock(mutex_);
        shut_ = true;
        doomed.swap(waiting_);
    }
    // Outside of the lock: what they own may use the executor.
    for (auto level = doomed.rbegin(); level != doomed.rend(); ++level)
        level->clear_and_dispose([](priority_operation* each) { each->destroy(); });
}

void enqueue(
    const priority_level& level, priority_operation& operation, bool is_continuation) noexcept
{
    level.queue->enqueue(level.priority, operation, is_continuation);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
