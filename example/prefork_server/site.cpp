// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "site.hpp"

#include <loops/backend.hpp>
#include <loops/lease.hpp>
#include <loops/loop_stats.hpp>
#include <loops/policy/pool_policy.hpp>

#include "options.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <charconv>
#include <chrono>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace prefork {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;

// The loops that the policy deals connections to. Starts them, if the policy runs them itself.
std::vector<asio::io_context*> loops_of(loops::event_loop_policy& policy)
{
    auto* const pool = dynamic_cast<loops::pool_policy*>(&policy);
    if (pool == nullptr)
        return {&policy.get_event_loop()};
    std::vector<asio::io_context*> all;
    for (std::size_t index = 0; index != pool->size(); ++index)
        all.push_back(&pool->loop(index));
    return all;
}

void burn(std::chrono::microseconds time)
{
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end)
    {}
}

// The number after "us=", up to a second; nothing else is understood.
bool parse_work(std::string_view query, std::chrono::microseconds& time)
{
    constexpr std::string_view key = "us=";
    constexpr unsigned most = 1000000;
    if (query.substr(0, key.size()) != key)
        return false;
    query.remove_prefix(key.size());
    unsigned value = 0;
    const char* const end = query.data() + query.size();
    const auto [stop, code] = std::from_chars(query.data(), end, value);
    time = std::chrono::microseconds(value);
    return code == std::errc() && stop == end && value <= most;
}

void fill(response& it, http::status status, const char* type, std::string body)
{
    it.result(status);
    it.set(http::field::content_type, type);
    it.body() = std::move(body);
}

json::object describe(const worker_row& row, std::int64_t now)
{
    const worker_slot& slot = row.now();
    const std::int32_t pid = slot.pid;
    return {{"pid", pid}, {"restarts", row.restarts.load()},
        {"uptime_ms", pid == 0 ? 0 : now - slot.started_ms}, {"requests", slot.requests.load()},
        {"connections", slot.connections.load()}};
}

json::object describe(std::size_t index, asio::io_context& loop)
{
    const loops::loop_stats stats = loops::stats_of(loop);
    const auto us = [](std::chrono::nanoseconds time) {
        return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    };
    return {{"index", index}, {"load", loops::load_of(loop)}, {"busy", stats.busy()},
        {"cpu_us", us(stats.cpu)}, {"lag_us", us(stats.lag)},
        {"highest_lag_us", us(stats.highest_lag)}, {"handlers", stats.handlers},
        {"wake_ups", stats.wake_ups}, {"leases", stats.leases}, {"tasks", stats.tasks},
        {"waits", stats.waits}, {"threads", stats.threads}};
}

} // namespace

site::site(loops::event_loop_policy& policy, std::string description,
    std::shared_ptr<const shared_scoreboard> page, const worker_role& role)
    : policy_(policy.name()),
      description_(std::move(description)),
      page_(std::move(page)),
      worker_(role.index),
      slot_((*page_)->rows[role.index].slots[role.slot]),
      pid_(std::to_string(::getpid())),
      loops_(loops_of(policy))
{}

response site::answer(const request& asked) const
{
    ++slot_.requests;
    response made(http::status::ok, asked.version());
    made.set(http::field::server, "prefork_server");
    made.set("X-Worker-Pid", pid_);

    const std::string_view target(asked.target().data(), asked.target().size());
    const std::size_t mark = target.find('?');
    const std::string_view path = target.substr(0, mark);
    const std::string_view query =
        mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
    constexpr const char* text = "text/plain; charset=utf-8";

    if (asked.method() != http::verb::get && asked.method() != http::verb::head)
    {
        made.set(http::field::allow, "GET, HEAD");
        fill(made, http::status::method_not_allowed, text, "GET and HEAD are served here\n");
    }
    else if (path == "/")
    {
        fill(made, http::status::ok, text, "Served by Loops. See /status\n");
    }
    else if (path == "/status")
    {
        made.set(http::field::cache_control, "no-store");
        fill(made, http::status::ok, "application/json", status());
    }
    else if (path == "/work")
    {
        std::chrono::microseconds time{};
        if (parse_work(query, time))
        {
            burn(time);
            fill(made, http::status::ok, text, "Worked.\n");
        }
        else
        {
            fill(made, http::status::bad_request, text, "Expected /work?us=0 to 1000000\n");
        }
    }
    else
    {
        fill(made, http::status::not_found, text, "There is /, /status and /work?us=N\n");
    }

    made.content_length(made.body().size());
    if (asked.method() == http::verb::head)
        made.body().clear();
    return made;
}

std::string site::status() const
{
    const std::int64_t now = monotonic_ms();
    const scoreboard& page = **page_;

    json::array loads;
    for (asio::io_context* const loop : loops_)
        loads.push_back(describe(loads.size(), *loop));

    json::array workers;
    const unsigned count = page.workers;
    for (unsigned index = 0; index != count; ++index)
        workers.push_back(describe(page.rows[index], now));

    json::object all{
        {"worker", {{"index", worker_}, {"pid", ::getpid()}}},
        {"policy", {{"name", policy_}, {"description", description_}}},
        {"backend", {{"name", std::string(loops::to_string(loops::backend()))}}},
        {"watcher", {{"name", page.watcher.data()}}},
        {"loops", std::move(loads)},
        {"master", {{"pid", page.master.load()}, {"uptime_ms", now - page.started_ms}}},
        {"workers", std::move(workers)},
    };
    return json::serialize(all) + '\n';
}

} // namespace prefork
