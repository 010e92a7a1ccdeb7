// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include <loops/detail/io_context_of.hpp>
#include <loops/priority_executor.hpp>

#include <memory>

namespace loops {
inline namespace LOOPS_ABI {
namespace detail {
namespace {

// io_context's executors come in two types: the second counts as outstanding work.
using plain = asio::io_context::executor_type;
using tracked = std::decay_t<decltype(asio::prefer(
    std::declval<plain>(), asio::execution::outstanding_work.tracked))>;

template <class Target, class Erased>
asio::io_context* behind(const Erased& executor) noexcept
{
    const Target* const target = executor.template target<Target>();
    return target != nullptr ? io_context_of(*target) : nullptr;
}

template <class... Targets, class Erased>
asio::io_context* behind_any(const Erased& executor) noexcept
{
    asio::io_context* loop = nullptr;
    static_cast<void>(((loop = behind<Targets>(executor)) || ...));
    return loop;
}

template <class Erased>
asio::io_context* search(const Erased& executor) noexcept
{
    return behind_any<plain, tracked, asio::strand<plain>, priority_executor,
        basic_priority_executor<tracked>, asio::strand<priority_executor>,
        asio::strand<asio::any_io_executor>>(executor);
}

} // namespace

asio::io_context* io_context_of(const asio::any_io_executor& executor) noexcept
{
    return search(executor);
}

asio::io_context* io_context_of(const asio::any_completion_executor& executor) noexcept
{
    if (asio::io_context* const loop = search(executor))
        return loop;
    return behind<asio::any_io_executor>(executor);
}

asio::io_context* plain_io_context_of(const asio::any_io_executor& executor) noexcept
{
    return behind<plain>(executor);
}

asio::io_context* plain_io_context_of(const asio::any_completion_executor& executor) noexcept
{
    if (asio::io_context* const loop = behind<plain>(executor))
        return loop;
    const auto* const inner = executor.target<asio::any_io_executor>();
    return inner != nullptr ? behind<plain>(*inner) : nullptr;
}

} // namespace detail
} // namespace LOOPS_ABI
} // namespace loops
