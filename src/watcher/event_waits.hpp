// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_WATCHER_EVENT_WAITS_HPP
#define LOOPS_SRC_WATCHER_EVENT_WAITS_HPP

#include <loops/config.hpp>
#include <loops/error.hpp>
#include <loops/loop_clock.hpp>

#include "detail/pending_wait.hpp"
#include "watcher/attached_waits.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

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

// The waits of a watcher that tells one event after the other: each event is for one wait, in their order. What nobody
// waits for is not asked for. What derives from this says what the events are; what it overrides here is called with the mutex
// held.
template <class Event>
class event_waits : public attached_waits
{
public:
    using wait_type = pending_wait<Event>;

    void add(typename wait_type::handler_type handler)
    {
        served ended;
        std::list<wait_type> refused;
        refused.emplace_back(next_id(), std::move(handler));
        error_code ec = error::forked;
        if (!is_inherited())
        {
            const std::lock_guard lock(mutex());
            ec = why_unusable();
            if (!ec)
            {
                refused.back().connect(weak_from_this());
                waits_.splice(waits_.end(), refused);
                ended = serve();
                if (!waits_.empty())
                    attachment().want(true, ec);
                if (ec)
                    refused.splice(refused.end(), waits_, std::prev(waits_.end()));
                go_on();
            }
        }
        complete(std::move(ended));
        complete(std::move(refused), ec);
    }

    void cancel(std::uint64_t id) override
    {
        std::list<wait_type> ended;
        {
            const std::lock_guard lock(mutex());
            ended = take_wait(waits_, id);
            if (ended.empty())
                return;
            go_on();
        }
        complete(std::move(ended), asio::error::operation_aborted);
    }

protected:
    using attached_waits::attached_waits;

    // Finds out what has happened, until there are so many events.
    virtual void look(std::size_t enough) = 0;

    // The next event, if there is one.
    virtual std::optional<Event> take() = 0;

    // When to look at the latest, while somebody waits.
    virtual std::optional<loop_clock::time_point> next_look() const = 0;

    // It is closed.
    virtual void clear() noexcept = 0;

    // Calls `function` with the mutex held, if the watcher can be used, and tells what it has found.
    template <class Function>
    void change(error_code& ec, Function function)
    {
        served ended;
        ec = error::forked;
        if (is_inherited())
            return;
        {
            const std::lock_guard lock(mutex());
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
        const std::lock_guard lock(mutex());
        return function();
    }

private:
    using served = std::vector<std::pair<wait_type, Event>>;

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
        attachment().want(!waits_.empty(), ignored);
        const auto at = waits_.empty() ? std::nullopt : next_look();
        const auto present = timer_.lock();
        if (at && present && present->expiry() == *at)
            return;
        end_timer();
        if (!at || !attachment().is_attached())
            return;
        auto timer = std::make_shared<loop_timer>(attachment().executor(), *at);
        timer_ = timer;
        timer->async_wait([weak = weak_from_this(), timer](const error_code& ec) {
            const auto it = std::static_pointer_cast<event_waits>(weak.lock());
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

    void on_attached() override
    {
        end_timer(); // it may be another loop's
        go_on();
    }

    void on_detached() override { end_timer(); }

    void complete(served all)
    {
        for (auto& [wait, event] : all)
            std::move(wait).complete(attachment().executor(), {}, std::move(event));
    }

    void complete(std::list<wait_type> all, const error_code& ec)
    {
        for (wait_type& each : all)
            std::move(each).complete(attachment().executor(), ec, Event());
    }

    void on_ready() override
    {
        served ended;
        {
            const std::lock_guard lock(mutex());
            if (why_unusable() || waits_.empty())
                return;
            look(waits_.size());
            ended = serve();
            go_on();
        }
        complete(std::move(ended));
    }

    void on_gone(asio::io_context& loop) override
    {
        std::list<wait_type> gone;
        const std::lock_guard lock(mutex());
        for (auto each = waits_.begin(); each != waits_.end();)
        {
            const auto present = each++;
            if (present->is_of(loop))
                gone.splice(gone.end(), waits_, present);
        }
        go_on();
    }

    void end_all() override
    {
        std::list<wait_type> ended;
        {
            const std::lock_guard lock(mutex());
            ended.swap(waits_);
            go_on();
            clear();
        }
        complete(std::move(ended), asio::error::operation_aborted);
    }

    std::list<wait_type> waits_;
    std::weak_ptr<loop_timer> timer_; // the operation that waits has it: it goes with its loop
};

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
