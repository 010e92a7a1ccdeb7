// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef LOOPS_TEST_DOCS_CONTEXT_HPP
#define LOOPS_TEST_DOCS_CONTEXT_HPP

// What the code on the pages takes for granted.

#include <loops.hpp>
#include <loops/process/launcher.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

// Not in the global namespace: the library's parameters would hide what is there.
namespace docs {

namespace asio = boost::asio;

extern asio::io_context loop;
extern std::shared_ptr<loops::pool_policy> pool;
extern std::shared_ptr<loops::child_watcher> watcher;
extern const pid_t pid;
extern const int fd;

void serve(loops::placing_acceptor<asio::ip::tcp>& acceptor);

struct session
{
    session(asio::ip::tcp::socket, loops::lease) {}
    void start() {}
};

// A piece of code of a page.
struct block
{
    const char* where;
    void (*code)();
    bool needs_cgroup;
};
extern const std::vector<block> blocks;

} // namespace docs

#endif
