// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#ifndef DEV_SERVER_SERVER_HPP
#define DEV_SERVER_SERVER_HPP

#include <loops/loop_clock.hpp>
#include <loops/process/supervisor.hpp>
#include <loops/watcher/file_watcher.hpp>
#include <loops/watcher/process_watcher.hpp>

#include "options.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <string>

namespace dev_server {

// Keeps the worker running, and renews it. All on one loop, which one thread runs.
class server
{
public:
    // Throws where something cannot be watched.
    server(boost::asio::io_context& loop, const options& from);

    // Until stop(); then `ended` is called.
    void start(std::function<void()> ended);
    void stop();

private:
    void wait_for_change();
    void changed(const loops::file_event& event);
    void wait_for_growth();
    void restart(const std::string& why);
    void worker_changed();

    const options& options_;
    loops::file_watcher files_;
    loops::process_watcher sizes_;
    loops::supervisor worker_;
    loops::loop_timer quiet_;
    pid_t pid_ = 0; // the worker's that was started last
    bool is_stopping_ = false;
};

} // namespace dev_server

#endif
