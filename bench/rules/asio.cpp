// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "rules.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <utility>

namespace asio = boost::asio;

namespace rules {
namespace {

word early_stop()
{
    asio::io_context loop;
    loop.stop();
    loop.run();
    asio::post(loop, [] {});
    return yes_or(loop.poll() == 1, "it sticks until restart()");
}

word pending()
{
    const auto held = std::make_shared<int>(0);
    auto loop = std::make_unique<asio::io_context>();
    asio::post(*loop, [held] {});
    loop.reset();
    return yes_or(held.use_count() == 1, "it stays");
}

word taken()
{
    asio::thread_pool pool(2);
    return taken_by_another([&](auto handler) { asio::post(pool, std::move(handler)); });
}

} // namespace

const subject of_asio = {
    "Asio", nullptr, nullptr, early_stop, nullptr, pending, nullptr, nullptr, nullptr, taken};

} // namespace rules
