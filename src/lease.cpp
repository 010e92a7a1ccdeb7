// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/lease.hpp>

#include "detail/loop_record.hpp"

#include <boost/system/errc.hpp>

#include <string>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

std::int64_t checked(std::int64_t weight)
{
    if (weight < 0)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "a lease of weight " + std::to_string(weight) + "; it must be 0 or more");
    return weight;
}

} // namespace

lease::lease(asio::io_context& loop, std::int64_t weight)
    : record_(detail::record_of(loop)), weight_(checked(weight))
{
    if (record_->context() == nullptr)
        detail::throw_error(error::loop_closed, "taking a lease on " + record_->describe());
    record_->leased.fetch_add(weight_, std::memory_order_relaxed);
    record_->leases.fetch_add(1, std::memory_order_relaxed);
}

lease::lease(lease&& other) noexcept
    : record_(std::move(other.record_)),
      weight_(std::exchange(other.weight_, 0)),
      carried_(std::move(other.carried_))
{}

lease& lease::operator=(lease&& other) noexcept
{
    if (this != &other)
    {
        release();
        record_ = std::move(other.record_);
        weight_ = std::exchange(other.weight_, 0);
        carried_ = std::move(other.carried_);
    }
    return *this;
}

lease::~lease()
{
    release();
}

void lease::release() noexcept
{
    if (record_)
    {
        record_->leased.fetch_sub(std::exchange(weight_, 0), std::memory_order_relaxed);
        // What was done to the loop under the lease is seen by whoever finds that it is over.
        record_->leases.fetch_sub(1, std::memory_order_release);
    }
    record_.reset();
    carried_.reset();
}

void lease::carry(std::shared_ptr<void> what)
{
    if (!record_)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "having an empty lease carry something; acquire one first");
    carried_.swap(what);
}

void lease::reweigh(std::int64_t weight)
{
    if (!record_)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "re-weighing an empty lease; acquire one first");
    record_->leased.fetch_add(checked(weight) - weight_, std::memory_order_relaxed);
    weight_ = weight;
}

asio::io_context& lease::get_event_loop() const
{
    if (!record_)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "the loop of an empty lease; acquire one first");
    asio::io_context* const loop = record_->context();
    if (loop == nullptr)
        detail::throw_error(error::loop_closed, "the leased " + record_->describe() + " is gone");
    return *loop;
}

std::int64_t load_of(asio::io_context& loop)
{
    return detail::record_of(loop)->load();
}

} // namespace LOOPS_ABI
} // namespace loops
