// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_IMPL_ASYNC_RUN_HPP
#define LOOPS_IMPL_ASYNC_RUN_HPP

#include <loops/detail/erase_handler.hpp>
#include <loops/process/async_run.hpp>

#include <boost/asio/associator.hpp>

#include <type_traits>
#include <utility>
#include <vector>

namespace loops {
inline namespace LOOPS_ABI {

namespace detail {

// A handler of one command, as a pipeline's.
template <class Handler>
class single_run_handler
{
public:
    // Not a constructor of one argument, which would take copies of itself.
    template <class H>
    single_run_handler(std::in_place_t, H&& handler) : handler_(std::forward<H>(handler))
    {}

    void operator()(const error_code& ec, std::vector<run_result> results)
    {
        std::move(handler_)(
            error_code(ec), results.empty() ? run_result() : std::move(results.front()));
    }

    const Handler& handler() const noexcept { return handler_; }

private:
    Handler handler_;
};

} // namespace detail

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(detail::run_signature) CompletionToken>
auto async_run(command what, run_options options, CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, detail::run_signature>(
        [](auto&& handler, const command& program, const run_options& how) {
            using handler_type = std::decay_t<decltype(handler)>;
            detail::start_run({program}, how,
                detail::erase_handler_as<detail::pipeline_signature>(
                    detail::single_run_handler<handler_type>(
                        std::in_place, std::forward<decltype(handler)>(handler))));
        },
        token, std::move(what), std::move(options));
}

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(detail::pipeline_signature) CompletionToken>
auto async_run(pipeline what, run_options options, CompletionToken&& token)
{
    return asio::async_initiate<CompletionToken, detail::pipeline_signature>(
        [](auto&& handler, const pipeline& programs, const run_options& how) {
            detail::start_run(programs.programs, how,
                detail::erase_handler_as<detail::pipeline_signature>(
                    std::forward<decltype(handler)>(handler)));
        },
        token, std::move(what), std::move(options));
}

template <BOOST_ASIO_COMPLETION_TOKEN_FOR(detail::run_signature) CompletionToken>
auto async_run(command what, CompletionToken&& token)
{
    return async_run(std::move(what), run_options(), std::forward<CompletionToken>(token));
}

} // namespace LOOPS_ABI
} // namespace loops

namespace boost {
namespace asio {

template <template <class, class> class Associator, class Handler, class Default>
struct associator<Associator, loops::detail::single_run_handler<Handler>, Default>
    : Associator<Handler, Default>
{
    static auto get(const loops::detail::single_run_handler<Handler>& handler) noexcept
    {
        return Associator<Handler, Default>::get(handler.handler());
    }

    static auto get(const loops::detail::single_run_handler<Handler>& handler,
        const Default& candidate) noexcept
    {
        return Associator<Handler, Default>::get(handler.handler(), candidate);
    }
};

} // namespace asio
} // namespace boost

#endif
