// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_DEPARTURE_HPP
#define LOOPS_SRC_DETAIL_DEPARTURE_HPP

#include <loops/event_loop.hpp>

#include "detail/fork.hpp"

#include <memory>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

class crew;

// How a loop leaves a pool that has become smaller: its thread runs it until it is empty.
class departure
{
public:
    // The loop, which outlives this, is not chosen any more.
    void begin(event_loop& loop, const std::shared_ptr<crew>& threads);

    // Has its thread, which was started for that, look some time later whether it is empty.
    static void look_later(event_loop& loop, const std::weak_ptr<crew>& threads);

    // The loop is chosen again. False: its thread has ended, or is about to.
    bool take_back();

    // Whether its thread has ended, or is about to.
    bool is_over() const;

    // Asked by its thread, where the loop is out of work: whether the thread is to end.
    bool ends(event_loop& loop, const std::weak_ptr<crew>& threads) noexcept;

private:
    mutable fork_mutex mutex_;
    bool begun_ = false;
    bool over_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
