// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_THREAD_SLOTS_HPP
#define LOOPS_SRC_DETAIL_THREAD_SLOTS_HPP

#include <loops/event_loop.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class loop_record;

// A policy's table of one current loop a thread. A slot belongs to its thread and to the table:
// the thread's end destroys the loop that was made for it, and so does closing the table.
class thread_slots
{
public:
    using maker = std::function<std::unique_ptr<event_loop>()>;

    thread_slots();
    thread_slots(const thread_slots&) = delete;
    thread_slots& operator=(const thread_slots&) = delete;

    // What is not closed before lives as long as its threads.
    ~thread_slots();

    // The calling thread's current loop, or null.
    asio::io_context* find() noexcept;

    // The same, made by `make` where there is none and none was ever taken away. Null otherwise.
    asio::io_context* find_or_make(const maker& make);

    // Makes `loop` current for the calling thread; null empties the slot. Throws loop_closed.
    void set(asio::io_context* loop);

    // The current loops of all threads, in the order in which these first asked.
    std::vector<std::shared_ptr<loop_record>> all() const;

    // Throws already_running if a caller runs a loop that was made for a thread.
    void check_none_runs() const;

    // Destroys the loops that were made, the youngest first, and empties all slots.
    void close() noexcept;

    // Empties all slots and hands out the loops that were made, the oldest first.
    std::vector<std::unique_ptr<event_loop>> release() noexcept;

private:
    struct books;
    struct slot;
    class thread_table;

    static thread_table& this_thread();
    std::shared_ptr<slot> mine() const;

    const std::shared_ptr<books> books_;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
