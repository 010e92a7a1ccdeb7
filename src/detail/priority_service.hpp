// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_PRIORITY_SERVICE_HPP
#define LOOPS_SRC_DETAIL_PRIORITY_SERVICE_HPP

#include <loops/config.hpp>
#include <loops/detail/priority_fsm.hpp>
#include <loops/detail/priority_operation.hpp>

#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/intrusive/slist.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The functions that wait on a loop by priority. Each is stood for by a ticket in the loop's own
// queue: a handler that runs whatever is best by then. Counting work, stopping, and taking turns with
// the loop's other handlers are thus Asio's.
//
// No more than `most_tickets` are there at a time; the ticket that runs puts in the next. Asio looks
// at descriptors and timers once in each pass over its queue, so that a completion would have to wait
// for as many handlers as wait already, before it could even be told that it comes before them. And
// what wakes a thread does so once for many handlers; no memory is needed that could be lacking.
//
// Around a fork nothing is to do: the queue is memory, which the child has whole if no thread is
// inside of the loop or posts to it at that moment, which Asio's own queue asks for, too.
class priority_service : public asio::execution_context::service
{
public:
    using key_type = priority_service;
    static asio::execution_context::id id;

    // Throws loop_closed.
    static priority_service& of(asio::io_context& loop);

    // Only of() asks for this service, and only of an io_context.
    explicit priority_service(asio::execution_context& owner);
    ~priority_service() override;

    const priority_level& level(int priority) const noexcept
    {
        return levels_[static_cast<std::size_t>(priority)];
    }

    void limit_ageing(std::uint64_t most);

    // From now on those of one priority start in an order that the seed chooses. The first seed holds.
    void shuffle(std::uint64_t seed);

    void enqueue(int priority, priority_operation& operation, bool is_continuation) noexcept;

private:
    // Room for a ticket as Asio's queue holds it. The sizes come from a few pointers in Asio's
    // operations, and some more on Windows.
    struct slot
    {
        slot* next_free = nullptr;
        alignas(std::max_align_t) unsigned char room[112];
    };

    template <class T>
    class slot_allocator;
    class ticket;

    using operations = boost::intrusive::slist<priority_operation,
        boost::intrusive::cache_last<true>, boost::intrusive::constant_time_size<false>>;

    // One reactor poll, about 200 ns, for as many handlers is 6 ns for each of them.
    static constexpr std::size_t most_tickets = 32;

    void shutdown() override;

    slot& take_slot() noexcept;
    void post_ticket(slot& in, bool is_continuation) noexcept;
    void run_best(slot& came_from);
    priority_operation& take_from(operations& level) noexcept;

    const asio::io_context::executor_type executor_;
    std::array<priority_level, priority_fsm::most_levels> levels_{};
    std::array<slot, most_tickets> slots_;

    std::mutex mutex_; // guards what follows
    slot* free_ = nullptr;
    std::size_t tickets_ = 0; // the smaller of most_tickets and what waits
    priority_fsm order_;
    std::array<operations, priority_fsm::most_levels> waiting_;
    std::optional<std::uint64_t> random_; // the state, where the order is shuffled
    bool shut_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
