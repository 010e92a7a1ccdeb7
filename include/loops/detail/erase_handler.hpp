// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_ERASE_HANDLER_HPP
#define LOOPS_DETAIL_ERASE_HANDLER_HPP

#include <loops/config.hpp>
#include <loops/priority_executor.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/associator.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// A handler with another executor that is equal to its own. asio::bind_executor() takes no handler
// that it bound already.
template <class Handler, class Executor>
class handler_on
{
public:
    handler_on(const Executor& executor, Handler&& handler)
        : executor_(executor), handler_(std::move(handler))
    {}

    template <class... Arguments>
    void operator()(Arguments&&... arguments)
    {
        std::move(handler_)(std::forward<Arguments>(arguments)...);
    }

    const Executor& get_executor() const noexcept { return executor_; }
    const Handler& handler() const noexcept { return handler_; }

private:
    Executor executor_;
    Handler handler_;
};

// Erases a handler's type. A coroutine's executor is an asio::any_io_executor: erased once more it
// would cost an allocation at each look, and hide that it is a loop's.
template <class Signature, class Handler>
asio::any_completion_handler<Signature> erase_handler_as(Handler handler)
{
    using loop_executor = asio::io_context::executor_type;
    if constexpr (std::is_same_v<asio::associated_executor_t<Handler>, asio::any_io_executor>)
    {
        const asio::any_io_executor executor = asio::get_associated_executor(handler);
        if (const auto* const loop = executor.template target<loop_executor>())
            return handler_on<Handler, loop_executor>(*loop, std::move(handler));
        if (const auto* const strand = executor.template target<asio::strand<loop_executor>>())
            return handler_on<Handler, asio::strand<loop_executor>>(*strand, std::move(handler));
        if (const auto* const ranked = executor.template target<priority_executor>())
            return handler_on<Handler, priority_executor>(*ranked, std::move(handler));
    }
    return asio::any_completion_handler<Signature>(std::move(handler));
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

namespace boost {
namespace asio {

template <template <class, class> class Associator, class Handler, class Executor, class Default>
struct associator<Associator, loops::detail::handler_on<Handler, Executor>, Default>
    : Associator<Handler, Default>
{
    static auto get(const loops::detail::handler_on<Handler, Executor>& handler) noexcept
    {
        return Associator<Handler, Default>::get(handler.handler());
    }

    static auto get(const loops::detail::handler_on<Handler, Executor>& handler,
        const Default& candidate) noexcept
    {
        return Associator<Handler, Default>::get(handler.handler(), candidate);
    }
};

template <class Handler, class Executor, class Default>
struct associated_executor<loops::detail::handler_on<Handler, Executor>, Default>
{
    using type = Executor;

    static type get(const loops::detail::handler_on<Handler, Executor>& handler,
        const Default& = Default()) noexcept
    {
        return handler.get_executor();
    }
};

} // namespace asio
} // namespace boost

#endif
