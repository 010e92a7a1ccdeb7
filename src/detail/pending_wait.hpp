// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_SRC_DETAIL_PENDING_WAIT_HPP
#define LOOPS_SRC_DETAIL_PENDING_WAIT_HPP

#include <loops/config.hpp>
#include <loops/detail/io_context_of.hpp>
#include <loops/error.hpp>

#include "detail/delivery.hpp"

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// A handler that waits, and what its executor waits for it by.
template <class... Results>
class pending_wait
{
public:
    using handler_type = asio::any_completion_handler<void(error_code, Results...)>;

    // Where the handler has no executor of its own, `otherwise` waits for it.
    pending_wait(std::uint64_t number, handler_type handler,
        const asio::any_completion_executor& otherwise = {})
        : id_(number),
          handler_(std::move(handler)),
          executor_(tracked(asio::get_associated_executor(handler_, otherwise)))
    {}

    std::uint64_t id() const noexcept { return id_; }

    // Whether it goes with that loop, to which what has no executor is attached.
    bool is_of(asio::io_context& loop) const
    {
        return !executor_ || io_context_of(executor_) == &loop;
    }

    // On its executor, or that loop's; not in here.
    void complete(const asio::io_context::executor_type& otherwise, const error_code& ec,
        Results... results) &&
    {
        asio::io_context* const own = executor_ ? io_context_of(executor_) : nullptr;
        asio::post(own != nullptr ? own->get_executor() : otherwise,
            asio::append(std::move(handler_), ec, std::move(results)...));
    }

    // Has the handler's cancellation call `owner->cancel(id)`, on the thread that cancels, as long as that lives.
    template <class Owner>
    void connect(std::weak_ptr<Owner> owner) const
    {
        auto slot = asio::get_associated_cancellation_slot(handler_);
        if (!slot.is_connected())
            return;
        slot.assign([owner = std::move(owner), id = id_](asio::cancellation_type type) {
            const auto it = owner.lock();
            if (it && type != asio::cancellation_type::none)
                it->cancel(id);
        });
    }

private:
    std::uint64_t id_;
    handler_type handler_;
    asio::any_completion_executor executor_;
};

// Takes the wait of that number out of those: none, or one.
template <class Wait>
std::list<Wait> take_wait(std::list<Wait>& waits, std::uint64_t id)
{
    std::list<Wait> taken;
    const auto found = std::find_if(
        waits.begin(), waits.end(), [id](const Wait& each) { return each.id() == id; });
    if (found != waits.end())
        taken.splice(taken.end(), waits, found);
    return taken;
}

// Completes all of them, and leaves none.
template <class Wait, class... Results>
void complete_all(std::list<Wait>& waits, const asio::io_context::executor_type& otherwise,
    const error_code& ec, const Results&... results)
{
    for (Wait& each : std::exchange(waits, {}))
        std::move(each).complete(otherwise, ec, results...);
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
