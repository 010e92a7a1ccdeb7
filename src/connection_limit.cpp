// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/connection_limit.hpp>
#include <loops/error.hpp>

#include "detail/admission.hpp"

#include <boost/system/errc.hpp>

#include <limits>
#include <mutex>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

std::size_t admission::in_use() const noexcept
{
    const std::lock_guard lock(mutex_);
    return in_use_;
}

bool admission::take()
{
    const std::lock_guard lock(mutex_);
    if (in_use_ >= most_)
        return false;
    ++in_use_;
    return true;
}

bool admission::take_or_wait(waiter& it)
{
    const std::lock_guard lock(mutex_);
    if (std::exchange(it.has_place_, false))
        return true;
    if (in_use_ < most_)
    {
        ++in_use_;
        return true;
    }
    if (!it.is_linked())
        line_.push_back(it);
    return false;
}

void admission::leave(waiter& it) noexcept
{
    std::shared_ptr<waiter> next;
    {
        const std::lock_guard lock(mutex_);
        if (it.is_linked())
            line_.erase(line_.iterator_to(it));
        if (std::exchange(it.has_place_, false))
            next = hand_on();
    }
    if (next)
        next->on_place();
}

void admission::give_back() noexcept
{
    std::shared_ptr<waiter> next;
    {
        const std::lock_guard lock(mutex_);
        next = hand_on();
    }
    if (next)
        next->on_place();
}

std::shared_ptr<admission::waiter> admission::hand_on() noexcept
{
    while (!line_.empty())
    {
        waiter& first = line_.front();
        line_.pop_front();
        if (auto living = first.lock())
        {
            first.has_place_ = true;
            return living;
        }
    }
    --in_use_;
    return nullptr;
}

} // namespace detail

connection_limit::connection_limit()
    : state_(std::make_shared<detail::admission>(std::numeric_limits<std::size_t>::max()))
{}

connection_limit::connection_limit(std::size_t most)
{
    if (most == 0)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "a limit of 0 connections; give 1 or more");
    state_ = std::make_shared<detail::admission>(most);
}

std::size_t connection_limit::most() const noexcept
{
    return state_->most();
}

std::size_t connection_limit::in_use() const noexcept
{
    return state_->in_use();
}

} // namespace LOOPS_ABI
} // namespace loops
