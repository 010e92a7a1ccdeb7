// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/error.hpp>
#include <loops/loop_guest.hpp>

#include "detail/loop_record.hpp"
#include "detail/run_scope.hpp"
#include "detail/thread_state.hpp"
#include "platform/system.hpp"

#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace {

// Who runs the loop, and waits, is to look anew what guests there are.
void have_a_look(const detail::loop_record& record)
{
    if (record.runners() == 0)
        return;
    record.while_alive([](asio::io_context& loop) { asio::post(loop, &detail::count_as_probe); });
}

} // namespace

loop_guest::~loop_guest() = default;

void add_guest(asio::io_context& loop, std::shared_ptr<loop_guest> guest)
{
    const auto record = detail::record_of(loop);
    if (!guest)
        detail::throw_error(make_error_code(boost::system::errc::invalid_argument),
            "adding a null guest to " + record->describe());
    if (record->is_closed())
        detail::throw_error(error::loop_closed, "adding a guest to " + record->describe() + " on " +
                                                    platform::describe_thread() +
                                                    "; make a new loop");
    record->add_guest(std::move(guest));
    detail::leave_untimed_runs(record);
    have_a_look(*record);
}

void remove_guest(asio::io_context& loop, const loop_guest& guest) noexcept
{
    const auto record = detail::known_record_of(loop);
    if (!record)
        return;
    record->remove_guest(guest);
    try
    {
        have_a_look(*record);
    }
    catch (...) // no memory: who waits sees it when it wakes
    {}
}

namespace detail {

void loop_record::add_guest(std::shared_ptr<loop_guest> guest)
{
    const std::lock_guard lock(mutex_);
    guests_.push_back(std::move(guest));
    has_guests_ = true;
    ++guests_version_;
}

void loop_record::remove_guest(const loop_guest& guest) noexcept
{
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(guests_.begin(), guests_.end(),
        [&](const std::shared_ptr<loop_guest>& each) { return each.get() == &guest; });
    if (found == guests_.end())
        return;
    guests_.erase(found);
    has_guests_ = !guests_.empty();
    ++guests_version_;
}

void loop_record::remove_guests() noexcept
{
    std::vector<std::shared_ptr<loop_guest>> going; // outside of the lock
    const std::lock_guard lock(mutex_);
    going.swap(guests_);
    has_guests_ = false;
    ++guests_version_;
}

std::size_t loop_record::guests(std::vector<std::shared_ptr<loop_guest>>& all) const
{
    const std::lock_guard lock(mutex_);
    all = guests_;
    return guests_version_;
}

bool loop_record::begin_hosting() noexcept
{
    unsigned present = hosting_;
    const unsigned here = fork_generation() + 1;
    return present != here && hosting_.compare_exchange_strong(present, here);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
