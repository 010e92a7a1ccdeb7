// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// The example server from outside: over real HTTP, while its workers are killed.
//
// This process is a subreaper: whatever the server leaves behind becomes our child, so that
// "no zombie and no orphan" is "we have no child any more".

#define BOOST_TEST_MODULE prefork_server
#include "integration/prefork_harness.hpp"

#include <boost/json/src.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/prctl.h>
#include <unistd.h>

namespace {

using namespace prefork_test;

struct subreaper
{
    subreaper()
    {
        if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
            throw std::runtime_error("no subreaper");
    }
};

BOOST_TEST_GLOBAL_FIXTURE(subreaper);

void check_one_line(const std::vector<std::string>& arguments, const std::string& expected)
{
    process run(arguments);
    const std::string errors = run.read_errors();
    BOOST_TEST_CONTEXT(errors)
    {
        BOOST_TEST(run.wait() == 2);
        BOOST_TEST(std::count(errors.begin(), errors.end(), '\n') == 1);
        BOOST_TEST(errors.find(expected) != std::string::npos);
        BOOST_TEST(run.read_until({}) == "");
    }
}

BOOST_AUTO_TEST_CASE(bad_options_are_one_line_and_status_2)
{
    check_one_line({"--colour"}, "--colour");
    check_one_line({"--policy", "pol"}, "expected one of default");
    check_one_line({"--policy", "pool:none"}, "expected a number of threads");
    check_one_line({"--policy", "pool\n"}, "expected one of");
    check_one_line({"--policy"}, "--policy");
    check_one_line({"--threads", "2"}, "--threads");
    check_one_line({"--policy", "pool:2", "--threads", "2"}, "--threads");
    check_one_line({"--policy", "pool", "--threads", "0"}, "--threads");
    check_one_line({"--workers", "0"}, "--workers");
    check_one_line({"--workers", "-1"}, "--workers");
    check_one_line({"--port", "65536"}, "--port");
    check_one_line({"--port", "8080x"}, "--port");
    check_one_line({"--watcher", "bird"}, "pidfd");
    check_one_line({"--grace", "-3"}, "--grace");
    check_one_line({"--worker", "0"}, "--worker");
    check_one_line({"--worker", "0", "--master", "1"}, "--worker");
    check_one_line({"--worker", "0", "--slot", "0", "--master", "1"}, "--worker");
    check_one_line({"more"}, "--help");
}

BOOST_AUTO_TEST_CASE(help_is_on_standard_output_and_status_0)
{
    process run({"--help"});
    const std::string text = run.read_until({});
    for (const char* each : {"--policy", "--threads", "--workers", "--port", "--watcher", "--help"})
        BOOST_TEST(text.find(each) != std::string::npos, each);
    BOOST_TEST(run.read_errors() == "");
    BOOST_TEST(run.wait() == 0);
}

BOOST_AUTO_TEST_CASE(port_in_use_is_an_error)
{
    server first({"--workers", "1"});
    process second({"--port", std::to_string(first.port())});
    const std::string errors = second.read_errors();
    BOOST_TEST(second.wait() == 1);
    BOOST_TEST(errors.find(std::to_string(first.port())) != std::string::npos, errors);
    BOOST_TEST(first.stop() == 0);
}

BOOST_AUTO_TEST_CASE(what_is_served)
{
    server one({"--policy", "pool,chooser=least_loaded", "--threads", "3", "--watcher", "pidfd",
        "--workers", "3"});
    client user(one.port());
    BOOST_TEST(user.get("/").status == 200U);
    BOOST_TEST(user.get("/work?us=1").status == 200U);
    BOOST_TEST(user.get("/work?us=-1").status == 400U);
    BOOST_TEST(user.get("/nowhere").status == 404U);
    const reply got = user.get("/status");
    BOOST_TEST(got.status == 200U);

    const json::value status = json::parse(got.body);
    BOOST_TEST(status.at("worker").at("pid").to_number<int>() == got.worker);
    BOOST_TEST(status.at("policy").at("name").as_string() == "pool");
    BOOST_TEST(status.at("policy").at("description").as_string() == "pool:3,chooser=least_loaded");
    BOOST_TEST(!status.at("backend").at("name").as_string().empty());
    BOOST_TEST(status.at("watcher").at("name").as_string() == "pidfd");
    BOOST_TEST(status.at("master").at("pid").to_number<int>() == one.its_process().pid());
    std::int64_t load = 0;
    std::int64_t handlers = 0;
    for (const json::value& each : status.at("loops").as_array())
    {
        load += each.at("load").to_number<std::int64_t>();
        handlers += each.at("handlers").to_number<std::int64_t>();
        BOOST_TEST(each.at("threads").to_number<int>() == 1);
        BOOST_TEST(each.at("busy").to_number<double>() >= 0);
    }
    BOOST_TEST(handlers > 0);
    BOOST_TEST(status.at("loops").as_array().size() == 3U);
    BOOST_TEST(load == 1); // this connection
    std::int64_t requests = 0;
    for (const json::value& each : status.at("workers").as_array())
        requests += each.at("requests").to_number<std::int64_t>();
    BOOST_TEST(status.at("workers").as_array().size() == 3U);
    BOOST_TEST(requests == 5);

    BOOST_TEST(one.stop() == 0);
    BOOST_TEST(!have_children());
}

BOOST_AUTO_TEST_CASE(a_worker_says_what_holds_its_loop_up)
{
    server one({"--policy", "pool:2,watch=100ms", "--workers", "1"});
    client user(one.port());
    BOOST_TEST(user.get("/work?us=1000000").status == 200U);
    BOOST_TEST(user.get("/").status == 200U);
    BOOST_TEST(one.stop() == 0);
    const std::string errors = one.its_process().read_errors();
    BOOST_TEST(errors.find("has not answered for") != std::string::npos, errors);
    BOOST_TEST(errors.find("thread 'pool-") != std::string::npos, errors);
}

void serve_while_workers_are_killed(const std::string& policy)
{
    server one({"--policy", policy, "--workers", "2", "--grace", "10"});
    std::vector<int> seen;
    death_list killed;
    load users(one.port(), killed);
    BOOST_TEST_REQUIRE(eventually([&] { return users.requests() > 50; }));

    for (int round = 0; round != 4; ++round)
    {
        const std::vector<worker_line> before = one.workers();
        BOOST_TEST_REQUIRE(before.size() == 2U);
        const int victim = before[static_cast<std::size_t>(round) % 2].pid;
        BOOST_TEST_REQUIRE(victim > 0);
        for (const worker_line& each : before)
            seen.push_back(each.pid);

        killed.add(victim);
        BOOST_TEST_REQUIRE(::kill(victim, SIGKILL) == 0); // the server's, and just listed by it

        const bool replaced = eventually([&] {
            const std::vector<worker_line> now = one.workers();
            std::int64_t restarts = 0;
            bool all = true;
            for (const worker_line& each : now)
            {
                restarts += each.restarts;
                all = all && each.pid != 0 && each.pid != victim;
            }
            return all && restarts == round + 1;
        });
        BOOST_TEST_REQUIRE(replaced);
        BOOST_TEST(!exists(victim)); // not even as a zombie

        // The new one takes part.
        const int until = users.requests() + 100;
        BOOST_TEST_REQUIRE(eventually([&] { return users.requests() > until; }));
    }
    for (const worker_line& each : one.workers())
        seen.push_back(each.pid);

    users.stop();
    for (const std::string& each : users.failures())
        BOOST_ERROR(each);
    BOOST_TEST_MESSAGE(policy << ": " << users.requests() << " requests, " << users.lost()
                              << " connections lost with their workers");

    const auto begin = clock_type::now();
    BOOST_TEST(one.stop() == 0);
    BOOST_TEST((clock_type::now() - begin < 10s)); // nothing was under way: no need of the grace
    BOOST_TEST(!have_children());
    for (const int each : seen)
        BOOST_TEST(!exists(each));
}

BOOST_AUTO_TEST_CASE(default_policy_serves_while_workers_are_killed)
{
    serve_while_workers_are_killed("default");
}

BOOST_AUTO_TEST_CASE(shared_policy_serves_while_workers_are_killed)
{
    serve_while_workers_are_killed("shared:2");
}

BOOST_AUTO_TEST_CASE(threaded_policy_serves_while_workers_are_killed)
{
    serve_while_workers_are_killed("threaded");
}

BOOST_AUTO_TEST_CASE(pool_policy_serves_while_workers_are_killed)
{
    serve_while_workers_are_killed("pool:2");
}

void stop_with_connections(const std::string& policy)
{
    server one({"--policy", policy, "--workers", "1"});
    client idle(one.port());
    client busy(one.port());
    BOOST_TEST(idle.get("/").status == 200U);
    const int worker = busy.get("/").worker;
    busy.send("/work?us=400000");
    // It has come, whether the worker knows it yet or not: sending on loopback is delivering.

    const auto begin = clock_type::now();
    ::kill(one.its_process().pid(), SIGTERM);
    const reply last = busy.receive();
    BOOST_TEST(last.status == 200U);
    BOOST_TEST(last.worker == worker);
    BOOST_TEST(one.its_process().wait() == 0);
    BOOST_TEST((clock_type::now() - begin < 8s)); // the grace is 10
    BOOST_TEST(!have_children());
    BOOST_CHECK_THROW(idle.get("/"), system_error);
}

BOOST_AUTO_TEST_CASE(sigterm_lets_requests_end_and_closes_idle_connections)
{
    for (const char* each : {"default", "shared:2", "threaded", "pool:2"})
    {
        BOOST_TEST_CONTEXT(each)
        {
            stop_with_connections(each);
        }
    }
}

BOOST_AUTO_TEST_CASE(worker_that_does_not_stop_is_killed)
{
    server one({"--workers", "2", "--grace", "1"});
    const int stuck = one.workers().at(0).pid;
    BOOST_TEST_REQUIRE(::kill(stuck, SIGSTOP) == 0);
    BOOST_TEST(one.stop() == 0);
    BOOST_TEST(!exists(stuck));
    BOOST_TEST(!have_children());
}

BOOST_AUTO_TEST_CASE(worker_that_is_asked_to_stop_is_replaced_too)
{
    server one({"--workers", "2"});
    const int old = one.workers().at(0).pid;
    BOOST_TEST_REQUIRE(::kill(old, SIGTERM) == 0);
    BOOST_TEST(eventually([&] {
        const worker_line now = one.workers().at(0);
        return now.restarts == 1 && now.pid != 0 && now.pid != old;
    }));
    BOOST_TEST(one.stop() == 0);
    BOOST_TEST(!have_children());
}

// Whoever is connected to a worker that is replaced may have to connect anew; nobody else notices.
BOOST_AUTO_TEST_CASE(sighup_renews_the_workers)
{
    server one({"--workers", "3", "--policy", "pool:2"});
    const std::vector<worker_line> before = one.workers();
    death_list replaced;
    load users(one.port(), replaced);
    BOOST_TEST_REQUIRE(eventually([&] { return users.requests() > 50; }));

    for (const worker_line& each : before)
        replaced.add(each.pid);
    BOOST_TEST_REQUIRE(::kill(one.its_process().pid(), SIGHUP) == 0);
    BOOST_TEST_REQUIRE(eventually([&] {
        const std::vector<worker_line> now = one.workers();
        bool all = true;
        for (std::size_t i = 0; i != now.size(); ++i)
        {
            replaced.add(before[i].pid); // it may be just now
            all = all && now[i].pid != 0 && now[i].pid != before[i].pid && !exists(before[i].pid);
        }
        return all;
    }));
    for (const worker_line& each : one.workers())
        BOOST_TEST(each.restarts == 0);
    const int until = users.requests() + 100;
    BOOST_TEST_REQUIRE(eventually([&] { return users.requests() > until; }));
    users.stop();
    for (const std::string& each : users.failures())
        BOOST_ERROR(each);
    BOOST_TEST(one.stop() == 0);
    BOOST_TEST(one.its_process().read_errors().find("all workers are new") != std::string::npos);
    BOOST_TEST(!have_children());
}

BOOST_AUTO_TEST_CASE(workers_die_with_their_master)
{
    server one({"--workers", "3"});
    const std::vector<worker_line> workers = one.workers();
    BOOST_TEST_REQUIRE(::kill(one.its_process().pid(), SIGKILL) == 0);
    BOOST_TEST(one.its_process().wait() == -SIGKILL);
    BOOST_TEST(process::reap_orphans()); // they became ours
    for (const worker_line& each : workers)
        BOOST_TEST(!exists(each.pid));
}

} // namespace
