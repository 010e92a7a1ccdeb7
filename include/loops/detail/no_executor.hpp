// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_DETAIL_NO_EXECUTOR_HPP
#define LOOPS_DETAIL_NO_EXECUTOR_HPP

#include <loops/config.hpp>

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/associated_executor.hpp>

#include <type_traits>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {

// What Asio calls a handler's executor where it has none.
struct no_executor
{};

template <class Handler>
using has_no_executor =
    std::is_same<asio::associated_executor_t<Handler, no_executor>, no_executor>;

// Whether a handler surely has an executor of its own, so that nobody need look for another. One that
// is type-erased may have none.
template <class Handler, class Executor = asio::associated_executor_t<Handler, no_executor>>
constexpr bool has_executor = !std::is_same_v<Executor, no_executor> &&
                              !std::is_same_v<Executor, asio::any_completion_executor>;

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops

#endif
