// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Compiles where Boost.Process is at the places that newer Boosts have.

#define LOOPS_WITH_BOOST_PROCESS_V1
#define LOOPS_WITH_BOOST_PROCESS_ENVIRONMENT

#include <loops/child_watcher.hpp>
#include <loops/detail/boost_process.hpp>
#include <loops/process/launcher.hpp>

#include <boost/asio/io_context.hpp>

#include <string>
#include <utility>
#include <vector>

namespace v1 = loops::detail::boost_process_v1;
namespace v2 = boost::process::v2;

void waits(loops::child_watcher& watcher, boost::asio::io_context& loop)
{
    const auto handler = [](loops::error_code, const loops::child_exit&) {};
    v1::child first(
        v1::exe = "/bin/true", v1::args = {"unused"}, loop,
        v1::on_exit = [](int, const std::error_code&) {});
    watcher.async_wait(std::move(first), handler);
    v2::process second = loops::launcher()(loop, "/bin/true", std::vector<std::string>());
    watcher.async_wait(std::move(second), handler);
}
