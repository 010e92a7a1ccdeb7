// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "server.hpp"

#include <algorithm>
#include <iostream>
#include <utility>
#include <vector>

namespace dev_server {
namespace {

template <class... Parts>
void say(const Parts&... parts)
{
    std::cout << "dev_server: ";
    (std::cout << ... << parts) << std::endl;
}

loops::supervisor_options supervision(std::function<void()> on_change)
{
    loops::supervisor_options made;
    made.overlap = false; // both would want the same port
    made.on_change = [on_change = std::move(on_change)](std::size_t) { on_change(); };
    return made;
}

// Editors' and version control's own: what is hidden below what is watched.
bool is_hidden(const std::filesystem::path& path, const std::vector<std::filesystem::path>& watched)
{
    auto from = path.begin();
    for (const auto& root : watched)
    {
        const auto [root_end, rest] =
            std::mismatch(root.begin(), root.end(), path.begin(), path.end());
        if (root_end == root.end())
            from = rest;
    }
    return std::any_of(from, path.end(), [](const std::filesystem::path& part) {
        const std::string name = part.string();
        return name.size() > 1 && name.front() == '.' && name != "..";
    });
}

} // namespace

server::server(boost::asio::io_context& loop, const options& from)
    : options_(from),
      files_(loop),
      sizes_(loop),
      worker_(loop, from.worker, 1, supervision([this] { worker_changed(); })),
      quiet_(loop)
{
    for (const auto& each : from.watched)
    {
        loops::file_watch_options how;
        how.recursive = std::filesystem::is_directory(each);
        files_.add(each, how);
    }
}

void server::start(std::function<void()> ended)
{
    wait_for_change();
    wait_for_growth();
    worker_.async_run([this, ended = std::move(ended)](loops::error_code) {
        is_stopping_ = true;
        files_.close();
        sizes_.close();
        quiet_.cancel();
        ended();
    });
}

void server::stop()
{
    is_stopping_ = true;
    worker_.stop();
}

void server::wait_for_change()
{
    files_.async_wait([this](loops::error_code ec, const loops::file_event& event) {
        if (ec)
            return;
        changed(event);
        wait_for_change();
    });
}

// One save of an editor is many events; and so is a branch that is switched.
void server::changed(const loops::file_event& event)
{
    if (is_hidden(event.path, options_.watched) || is_stopping_)
        return;
    quiet_.expires_after(options_.quiet);
    quiet_.async_wait([this, path = event.path.string(), what = event.what](loops::error_code ec) {
        if (ec)
            return;
        say(path, ": ", what);
        restart("changed");
    });
}

void server::wait_for_growth()
{
    sizes_.async_wait([this](loops::error_code ec, const loops::process_event& event) {
        if (ec)
            return;
        if (event.what == loops::process_event::kind::above && event.pid == pid_ && !is_stopping_)
        {
            say("worker ", event.pid, " has ", event.sample.resident_memory >> 20U, " MiB");
            restart("too large");
        }
        wait_for_growth();
    });
}

void server::restart(const std::string& why)
{
    worker_.async_restart([why](loops::error_code ec) {
        if (ec)
            say(why, ": the worker was not restarted: ", ec.message());
    });
}

void server::worker_changed()
{
    const loops::worker_status now = worker_.status().front();
    if (now.state == loops::worker_state::backing_off)
        say("the worker ended with ", now.last_exit.returncode(), "; it is started again soon");
    if (now.state != loops::worker_state::ready || now.pid == pid_)
        return;
    pid_ = now.pid;
    say("worker ", pid_, " runs");
    loops::process_limits limits;
    limits.resident_memory = options_.most_memory;
    loops::error_code ended_already;
    sizes_.add(pid_, limits, ended_already);
}

} // namespace dev_server
