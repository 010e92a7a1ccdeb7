// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_LOOP_ACCESS_HPP
#define LOOPS_SRC_DETAIL_LOOP_ACCESS_HPP

#include <loops/event_loop.hpp>

#include <memory>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class crew;

// What the library's own code may do with an event_loop beyond its public interface.
class loop_access
{
public:
    // From now on the loop is run by a thread of `threads`; closing the loop ends that thread.
    static void give_to(event_loop& loop, std::shared_ptr<crew> threads);

    // Makes the loop one that nobody runs; null where it was. The thread is the caller's to end.
    static std::shared_ptr<crew> take_threads(event_loop& loop) noexcept;

    // The second half of close(), where the loop's record has begun it.
    static void finish_close(event_loop& loop);

    static bool has_own_thread(const event_loop& loop) noexcept;

    // Whether an exception handler is set.
    static bool handles(const event_loop& loop) noexcept;

    // Gives the exception to the loop's handler; false where none is set.
    static bool handle(event_loop& loop, const std::exception_ptr& exception);
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
