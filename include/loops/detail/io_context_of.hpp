// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_IO_CONTEXT_OF_HPP
#define LOOPS_DETAIL_IO_CONTEXT_OF_HPP

#include <loops/config.hpp>

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/strand.hpp>

#include <type_traits>
#include <utility>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// The loop behind an executor; null where it is none's, or where a type-erased executor holds one
// that is not known here.
LOOPS_DECL asio::io_context* io_context_of(const asio::any_io_executor& executor) noexcept;
LOOPS_DECL asio::io_context* io_context_of(const asio::any_completion_executor& executor) noexcept;

// The loop whose plain executor it is, which does no more than post and dispatch there; else null.
LOOPS_DECL asio::io_context* plain_io_context_of(const asio::any_io_executor& executor) noexcept;
LOOPS_DECL asio::io_context* plain_io_context_of(
    const asio::any_completion_executor& executor) noexcept;

template <class Executor>
asio::io_context* plain_io_context_of(const Executor& executor) noexcept
{
    if constexpr (std::is_same_v<Executor, asio::io_context::executor_type>)
        return &executor.context();
    else
        return nullptr;
}

template <class Executor, class = void>
struct context_of
{
    using type = void;
};

template <class Executor>
struct context_of<Executor,
    std::enable_if_t<asio::can_query<const Executor&, asio::execution::context_t>::value>>
{
    using type = std::decay_t<decltype(asio::query(
        std::declval<const Executor&>(), asio::execution::context))>;
};

template <class Executor>
struct is_strand : std::false_type
{};

template <class Inner>
struct is_strand<asio::strand<Inner>> : std::true_type
{};

template <class Executor>
asio::io_context* io_context_of(const Executor& executor) noexcept
{
    if constexpr (std::is_same_v<typename context_of<Executor>::type, asio::io_context>)
        return &asio::query(executor, asio::execution::context);
    else if constexpr (is_strand<Executor>::value)
        return io_context_of(executor.get_inner_executor());
    else
        return nullptr;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
