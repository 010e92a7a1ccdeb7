// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "process/group_core.hpp"

#include <loops/child_watcher.hpp>
#include <loops/policy.hpp>

#include "process/ending.hpp"

#include <boost/asio/append.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

template <class Handler>
asio::any_completion_executor work_of(const Handler& handler)
{
    return tracked(asio::get_associated_executor(handler, asio::any_completion_executor()));
}

} // namespace

group_core::group_core(asio::io_context& loop, group_options options)
    : loop_(loop),
      executor_(asio::make_strand(loop)),
      options_(std::move(options)),
      watcher_(options_.watcher ? options_.watcher : get_child_watcher())
{
    if (!is_valid(options_.stop))
        throw_error(make_error_code(boost::system::errc::invalid_argument),
            "making a group of processes with a ladder that has no rung, or one without a signal");
}

template <class Handler>
void group_core::connect(const Handler& handler, std::uint64_t id)
{
    connect_cancellation(handler, weak_from_this(), [id](group_core& it) { it.cancel(id); });
}

// On the handler's executor, or the loop; never inside of what calls this.
template <class Handler, class... Arguments>
void group_core::complete(Handler handler, Arguments&&... arguments)
{
    asio::post(loop_.get_executor(),
        asio::append(std::move(handler), std::forward<Arguments>(arguments)...));
}

void group_core::run(command what, run_handler handler)
{
    const std::uint64_t id = ++last_id_;
    connect(handler, id);
    // Made here: what cannot be had is told to the caller.
    auto fresh = std::make_shared<members>();
    auto work = work_of(handler);
    fresh->push_back({{id, std::move(handler), std::move(work)}, std::move(what), nullptr});
    asio::post(executor_, [self = shared_from_this(), fresh] {
        self->queue_.splice(self->queue_.end(), *fresh);
        self->start_ready();
    });
}

void group_core::wait_all(all_handler handler)
{
    add_wait(std::move(handler), &group_core::all_waits_);
}

void group_core::wait_any(run_handler handler)
{
    add_wait(std::move(handler), &group_core::any_waits_);
}

template <class Handler>
void group_core::add_wait(Handler handler, std::list<pending<Handler>> group_core::*waits)
{
    const std::uint64_t id = ++last_id_;
    connect(handler, id);
    auto work = work_of(handler);
    auto fresh = std::make_shared<std::list<pending<Handler>>>();
    fresh->push_back({id, std::move(handler), std::move(work)});
    asio::post(executor_, [self = shared_from_this(), fresh, waits] {
        auto& all = (*self).*waits;
        all.splice(all.end(), *fresh);
        self->tell_if_idle();
    });
}

void group_core::stop()
{
    asio::post(executor_, [self = shared_from_this()] {
        for (member& each : self->queue_)
            self->complete(std::move(each.end.handler),
                make_error_code(asio::error::operation_aborted), child_exit());
        self->queue_.clear();
        self->recount();
        for (member& each : self->alive_)
            each.process->stop(self->options_.stop);
        self->tell_if_idle();
    });
}

void group_core::cancel(std::uint64_t id)
{
    const auto is_it = [id](const member& each) { return each.end.id == id; };
    const auto queued = std::find_if(queue_.begin(), queue_.end(), is_it);
    const auto living = std::find_if(alive_.begin(), alive_.end(), is_it);
    const auto aborted = make_error_code(asio::error::operation_aborted);
    if (queued != queue_.end())
    {
        complete(std::move(queued->end.handler), aborted, child_exit());
        queue_.erase(queued);
        recount();
        tell_if_idle();
    }
    else if (living != alive_.end())
    {
        living->process->stop(options_.stop);
    }
    else if (!cancel_wait(all_waits_, id, aborted))
    {
        cancel_wait(any_waits_, id, aborted, child_exit());
    }
}

template <class Handler, class... Arguments>
bool group_core::cancel_wait(
    std::list<pending<Handler>>& waits, std::uint64_t id, Arguments... arguments)
{
    const auto found = std::find_if(
        waits.begin(), waits.end(), [id](const pending<Handler>& each) { return each.id == id; });
    if (found == waits.end())
        return false;
    complete(std::move(found->handler), arguments...);
    waits.erase(found);
    return true;
}

void group_core::start_ready()
{
    while (!queue_.empty() && (options_.most_alive == 0 || alive_.size() < options_.most_alive))
    {
        alive_.splice(alive_.end(), queue_, queue_.begin());
        start(std::prev(alive_.end()));
    }
    recount();
    tell_if_idle();
}

void group_core::start(members::iterator it)
{
    error_code ec;
    it->process = std::make_shared<running_program>(loop_, executor_, watcher_);
    it->what.limits.insert(it->what.limits.begin(), options_.limits.begin(), options_.limits.end());
    if (watcher_->is_active())
        it->process->start(std::move(it->what), options_.tree, ec);
    else
        ec = error::watcher_inactive;
    if (ec)
        return end(it, ec, {});
    it->process->watch(
        [self = shared_from_this(), it](const error_code& how, const child_exit& exit) {
            self->end(it, how, exit);
            self->start_ready();
        });
}

void group_core::end(members::iterator it, const error_code& ec, const child_exit& exit)
{
    complete(std::move(it->end.handler), ec, exit);
    alive_.erase(it);
    tell_end(ec, exit);
}

void group_core::tell_end(const error_code& ec, const child_exit& exit)
{
    for (auto& each : std::exchange(any_waits_, {}))
        complete(std::move(each.handler), ec, exit);
}

void group_core::tell_if_idle()
{
    if (!queue_.empty() || !alive_.empty())
        return;
    for (auto& each : std::exchange(all_waits_, {}))
        complete(std::move(each.handler), error_code());
    for (auto& each : std::exchange(any_waits_, {}))
        complete(std::move(each.handler), make_error_code(asio::error::not_found), child_exit());
}

void group_core::recount() noexcept
{
    alive_count_ = alive_.size();
    waiting_count_ = queue_.size();
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
