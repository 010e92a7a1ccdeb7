// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_WATCHER_EVENT_WAITS_HPP
#define LOOPS_SRC_WATCHER_EVENT_WAITS_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/loop_clock.hpp>

#include "detail/loop_attachment.hpp"
#include "detail/pending_wait.hpp"
#include "platform/posix/descriptor.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The waits of a watcher that tells one event after the other: each event is for one wait, in their order. A loop
// watches a descriptor while somebody waits; what nobody waits for is not asked for. What derives from this says what the events
// are. All that it overrides is called with the mutex held.
template <class Event>
class event_waits : public std::enable_shared_from_this<event_waits<Event>>
{
public:
    using wait_type = pending_wait<Event>;

    event_waits(const event_waits&) = delete;
    event_waits& operator=(const event_waits&) = delete;

    virtual ~event_waits()
    {
        attachment_.reset();
        platform::close_descriptor(fd_);
    }

    void add(typename wait_type::handler_type handler)
    {
        served ended;
        std::list<wait_type> refused;
        refused.emplace_back(++last_id_, std::move(handler));
        error_code ec = error::forked;
        if (!is_inherited())
        {
            const std::lock_guard lock(mutex_);
            ec = why_unusable();
            if (!ec)
            {
                refused.back().connect(this->weak_from_this());
                waits_.splice(waits_.end(), refused);
                ended = serve();
                if (!waits_.empty())
                    attachment_->want(true, ec);
                if (ec)
                    refused.splice(refused.end(), waits_, std::prev(waits_.end()));
                go_on();
            }
        }
        complete(std::move(ended));
        if (!refused.empty())
            complete_all(refused, attachment_->executor(), ec, Event());
    }

    void cancel(std::uint64_t id)
    {
        std::list<wait_type> ended;
        {
            const std::lock_guard lock(mutex_);
            ended = take_wait(waits_, id);
            if (ended.empty())
                return;
            go_on();
        }
        complete_all(ended, attachment_->executor(), asio::error::operation_aborted, Event());
    }

    void attach(asio::io_context& loop, error_code& ec)
    {
        ec = error::forked;
        if (is_inherited())
            return;
        const std::lock_guard lock(mutex_);
        ec = why_unusable();
        if (!ec)
            attachment_->attach(loop, ec);
        if (!ec)
            go_on();
    }

    void detach()
    {
        if (is_inherited())
            return;
        const std::lock_guard lock(mutex_);
        attachment_->detach();
        end_timer();
    }

    bool is_active() const
    {
        if (is_inherited())
            return false;
        const std::lock_guard lock(mutex_);
        return !closed_ && attachment_->is_attached();
    }

    void close()
    {
        if (is_inherited())
            return;
        std::list<wait_type> ended;
        {
            const std::lock_guard lock(mutex_);
            if (closed_)
                return;
            closed_ = true;
            ended.swap(waits_);
            go_on();
            clear();
        }
        if (!ended.empty())
            complete_all(ended, attachment_->executor(), asio::error::operation_aborted, Event());
    }

protected:
    // The descriptor is owned, and readable when look() would find something.
    explicit event_waits(int fd) : fd_(fd) {}

    template <class Derived, class... Arguments>
    static std::shared_ptr<Derived> make(int fd, Arguments&&... arguments)
    {
        auto made = std::make_shared<Derived>(fd, std::forward<Arguments>(arguments)...);
        const auto weak = std::weak_ptr<Derived>(made);
        made->attachment_ = std::make_shared<loop_attachment>(
            fd,
            [weak] {
                if (const auto it = weak.lock())
                    it->on_ready();
            },
            [weak](asio::io_context& loop) {
                if (const auto it = weak.lock())
                    it->on_gone(loop);
            });
        return made;
    }

    // Finds out what has happened, until there are so many events.
    virtual void look(std::size_t enough) = 0;

    // The next event, if there is one.
    virtual std::optional<Event> take() = 0;

    // When to look at the latest, while somebody waits.
    virtual std::optional<loop_clock::time_point> next_look() const = 0;

    // It is closed.
    virtual void clear() noexcept = 0;

    int descriptor() const noexcept { return fd_; }

    // In a forked child, where a thread of the parent's may have left the mutex locked.
    bool is_inherited() const noexcept { return attachment_->is_inherited(); }

    // Calls `function` with the mutex held, if the watcher can be used, and tells what it has found.
    template <class Function>
    void change(error_code& ec, Function function)
    {
        served ended;
        ec = error::forked;
        if (is_inherited())
            return;
        {
            const std::lock_guard lock(mutex_);
            ec = why_unusable();
            if (ec)
                return;
            function();
            ended = serve();
            go_on();
        }
        complete(std::move(ended));
    }

    // What `function` gives with the mutex held; where the watcher cannot be used, what is made of nothing.
    template <class Function>
    auto read(Function function) const -> decltype(function())
    {
        if (is_inherited())
            return {};
        const std::lock_guard lock(mutex_);
        return function();
    }

private:
    using served = std::vector<std::pair<wait_type, Event>>;

    error_code why_unusable() const noexcept
    {
        return closed_ ? make_error_code(error::watcher_closed) : error_code();
    }

    // The waits that are over, with what they have waited for.
    served serve()
    {
        served ended;
        while (!waits_.empty())
        {
            auto event = take();
            if (!event)
                break;
            ended.emplace_back(std::move(waits_.front()), std::move(*event));
            waits_.pop_front();
        }
        return ended;
    }

    // The loop is to look as long as somebody waits.
    void go_on()
    {
        error_code ignored;
        attachment_->want(!waits_.empty(), ignored);
        const auto at = waits_.empty() ? std::nullopt : next_look();
        const auto present = timer_.lock();
        if (at && present && present->expiry() == *at && timer_loop_ == attachment_->executor())
            return;
        end_timer();
        if (!at || !attachment_->is_attached())
            return;
        timer_loop_ = attachment_->executor();
        auto timer = std::make_shared<loop_timer>(*timer_loop_, *at);
        timer_ = timer;
        timer->async_wait([weak = this->weak_from_this(), timer](const error_code& ec) {
            const auto it = weak.lock();
            if (it && !ec && !it->is_inherited())
                it->on_ready();
        });
    }

    void end_timer()
    {
        if (const auto present = timer_.lock())
            present->cancel();
        timer_.reset();
    }

    void complete(served all)
    {
        for (auto& [wait, event] : all)
            std::move(wait).complete(attachment_->executor(), {}, std::move(event));
    }

    void on_ready()
    {
        served ended;
        {
            const std::lock_guard lock(mutex_);
            if (closed_ || waits_.empty())
                return;
            look(waits_.size());
            ended = serve();
            go_on();
        }
        complete(std::move(ended));
    }

    // What would be completed there is destroyed, as whatever else is pending on the loop.
    void on_gone(asio::io_context& loop)
    {
        std::list<wait_type> gone;
        const std::lock_guard lock(mutex_);
        for (auto each = waits_.begin(); each != waits_.end();)
        {
            const auto present = each++;
            if (present->is_of(loop))
                gone.splice(gone.end(), waits_, present);
        }
        go_on();
    }

    const int fd_;
    std::shared_ptr<loop_attachment> attachment_;
    std::atomic<std::uint64_t> last_id_{0};
    mutable std::mutex mutex_; // guards what follows, and what derives from this
    std::list<wait_type> waits_;
    std::weak_ptr<loop_timer> timer_; // the operation that waits has it: it goes with its loop
    std::optional<asio::io_context::executor_type> timer_loop_;
    bool closed_ = false;
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
