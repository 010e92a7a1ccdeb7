// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE adopting

#include "integration/example_run.hpp"
#include "support/arguments.hpp"
#include "support/skipped.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <unistd.h>

using namespace test;
namespace asio = boost::asio;
using asio::ip::tcp;

// What doc/adopting.adoc says of the programs in example/adopting: the versions before and after do
// the same, under whatever policy, and differ by a few lines.

namespace {

const std::vector<std::string> servers = {"asio_http", "beast_http"};
const std::vector<std::string> policies = {"default", "pool:2", "threaded", "shared:2"};

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

// One of the servers, with a port of its own. Ends with the object, whatever happened.
class server
{
public:
    // Where no policy is named, it is the version before.
    explicit server(const std::string& name, const std::string& policy = {})
        : run_(command(name, policy))
    {
        const std::string begin = "http://127.0.0.1:";
        const std::string text = run_.until("Ctrl-C");
        BOOST_REQUIRE_MESSAGE(has(text, begin), text);
        port_ =
            static_cast<unsigned short>(std::stoi(text.substr(text.find(begin) + begin.size())));
        // It serves by then, but until it handles the signal that is to end it, that would kill it.
        BOOST_REQUIRE(eventually([this] { return handles(SIGTERM); }));
    }

    unsigned short port() const { return port_; }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/some/where"; }
    void terminate() const { run_.signal(SIGTERM); }
    int code() { return run_.code(); }

private:
    static loops::command command(const std::string& name, const std::string& policy)
    {
        if (policy.empty())
            return loops::command(helper_path(name + "_before"), {"0"});
        // One has its policy from the command line, the other one from the environment.
        loops::command made(helper_path(name + "_after"), {"0"});
        if (name == "asio_http")
            made.arguments.push_back(policy);
        else
            made.environment = environment_with("LOOPS_POLICY=" + policy);
        return made;
    }

    static std::vector<std::string> environment_with(const std::string& setting)
    {
        std::vector<std::string> made{setting};
        for (char** each = ::environ; *each != nullptr; ++each)
        {
            if (std::string(*each).rfind("LOOPS_POLICY=", 0) != 0)
                made.emplace_back(*each);
        }
        return made;
    }

    bool handles(int number) const
    {
        std::ifstream status("/proc/" + std::to_string(run_.pid()) + "/status");
        for (std::string line; std::getline(status, line);)
        {
            if (line.rfind("SigCgt:", 0) == 0)
                return (std::stoull(line.substr(7), nullptr, 16) >> (number - 1) & 1) != 0;
        }
        return false;
    }

    example_run run_;
    unsigned short port_ = 0;
};

class client
{
public:
    explicit client(const server& of)
    {
        socket_.connect({asio::ip::address_v4::loopback(), of.port()});
    }

    void send(const std::string& text) { asio::write(socket_, asio::buffer(text)); }

    void receive_until(const std::string& end)
    {
        asio::read_until(socket_, asio::dynamic_buffer(read_), end);
    }

    // All that comes until the server closes.
    std::string receive_all()
    {
        std::string all;
        loops::error_code ec;
        asio::read(socket_, asio::dynamic_buffer(all), ec);
        BOOST_TEST(ec == asio::error::eof);
        return all;
    }

private:
    asio::io_context loop_;
    tcp::socket socket_{loop_};
    std::string read_;
};

std::string answer(const server& by, const std::string& request)
{
    client it(by);
    it.send(request);
    return it.receive_all();
}

bool can_connect(const server& to)
{
    asio::io_context loop;
    tcp::socket socket(loop);
    loops::error_code ec;
    socket.connect({asio::ip::address_v4::loopback(), to.port()}, ec);
    return !ec;
}

std::string status_and_body(const std::string& text)
{
    const std::size_t body = text.find("\r\n\r\n");
    return body == std::string::npos ? text : text.substr(0, text.find('\r')) + text.substr(body);
}

void check_answers(server& by)
{
    BOOST_TEST(
        status_and_body(answer(by, "GET /a?b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) ==
        "HTTP/1.1 200 OK\r\n\r\nYou asked for /a?b\n");
    BOOST_TEST(
        status_and_body(answer(by, "DELETE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) ==
        "HTTP/1.1 405 Method Not Allowed\r\n\r\nThere is only GET\n");
    // Two requests at once have two answers, in their order.
    const std::string two = answer(by, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: "
                                       "x\r\nConnection: close\r\n\r\n");
    BOOST_TEST(has(two, "for /1\nHTTP/1.1 200 OK\r\n"), two);
    BOOST_TEST(has(two, "for /2\n"), two);
    by.terminate();
    BOOST_TEST(by.code() == 0);
}

bool is_installed(const std::string& program)
{
    const char* const path = std::getenv("PATH");
    std::istringstream folders(path != nullptr ? path : "");
    for (std::string folder; std::getline(folders, folder, ':');)
    {
        if (::access(folder.append("/").append(program).c_str(), X_OK) == 0)
            return true;
    }
    return false;
}

void check_load(server& on)
{
    example_run wrk(loops::command("wrk", {"-t1", "-c8", "-d1s", "--timeout", "20s", on.url()}));
    const std::string text = wrk.output();
    BOOST_TEST(wrk.code() == 0);
    BOOST_TEST(!has(text, "Socket errors"), text);
    BOOST_TEST(!has(text, "Non-2xx"), text);
    const std::size_t end = text.find(" requests in ");
    BOOST_REQUIRE_MESSAGE(end != std::string::npos, text);
    const std::size_t begin = text.find_last_not_of("0123456789", end - 1) + 1;
    BOOST_TEST(std::stol(text.substr(begin, end - begin)) > 50, text);
    on.terminate();
    BOOST_TEST(on.code() == 0);
}

} // namespace

BOOST_AUTO_TEST_CASE(same_answers)
{
    const child_ledger ledger;
    for (const std::string& name : servers)
    {
        BOOST_TEST_CONTEXT(name << " before")
        {
            server before(name);
            check_answers(before);
        }
        for (const std::string& policy : policies)
        {
            BOOST_TEST_CONTEXT(name << " under " << policy)
            {
                server after(name, policy);
                check_answers(after);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(under_load)
{
    if (!is_installed("wrk"))
        return skipped("adopting/under_load", "wrk is not installed");
    const child_ledger ledger;
    for (const std::string& name : servers)
    {
        BOOST_TEST_CONTEXT(name << " before")
        {
            server before(name);
            check_load(before);
        }
        for (const std::string& policy : policies)
        {
            BOOST_TEST_CONTEXT(name << " under " << policy)
            {
                server after(name, policy);
                check_load(after);
            }
        }
    }
}

// What the versions before do not: a request that is under way is answered.
BOOST_AUTO_TEST_CASE(drained)
{
    const child_ledger ledger;
    for (const std::string& name : servers)
    {
        BOOST_TEST_CONTEXT(name)
        {
            server it(name, "pool:2");
            client one(it);
            one.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
            one.receive_until("for /1\n");
            one.send("GET /2 HTTP/1.1\r\n");
            it.terminate();
            BOOST_TEST(eventually([&] { return !can_connect(it); }));
            one.send("Host: x\r\nConnection: close\r\n\r\n");
            BOOST_TEST(has(one.receive_all(), "for /2\n"));
            BOOST_TEST(it.code() == 0);
        }
    }
}

// A client that says nothing, and does not leave, holds up nobody for ever.
BOOST_AUTO_TEST_CASE(drained_in_bounded_time)
{
    const child_ledger ledger;
    server it("asio_http", "pool:2");
    client one(it);
    one.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    one.receive_until("for /1\n");
    it.terminate();
    BOOST_TEST(it.code() == 0);
}

BOOST_AUTO_TEST_CASE(children)
{
    const child_ledger ledger;
    const auto lines = [](const std::string& name, const std::vector<std::string>& commands) {
        example_run it(loops::command(helper_path(name), commands));
        std::istringstream text(it.output());
        std::set<std::string> found; // which child ends first is not ours to say
        for (std::string line; std::getline(text, line);)
            found.insert(line);
        const bool failing = std::any_of(found.begin(), found.end(),
            [](const std::string& line) { return line.substr(line.size() - 3) != ": 0"; });
        BOOST_TEST(it.code() == (failing ? 1 : 0));
        return found;
    };
    for (const std::string name : {"process_v1", "process_v2"})
    {
        BOOST_TEST_CONTEXT(name)
        {
            const std::vector<std::string> commands = {"exit 3", "true", "sleep 0.05; exit 255"};
            const std::set<std::string> expected = {
                "exit 3: 3", "true: 0", "sleep 0.05; exit 255: 255"};
            BOOST_TEST(lines(name + "_before", commands) == expected);
            BOOST_TEST(lines(name + "_after", commands) == expected);
            // Boost.Process gives the signal's number, which may be an exit code as well.
            BOOST_TEST(lines(name + "_before", {"kill -9 $$"}).count("kill -9 $$: 9") == 1);
            BOOST_TEST(lines(name + "_after", {"kill -9 $$"}).count("kill -9 $$: -9") == 1);
            BOOST_TEST(lines(name + "_after", {}).empty());
        }
    }
}

// Counted on the side that has more: the lines that were added, changed ones among them, or those that
// went away.
BOOST_AUTO_TEST_CASE(at_most_ten_lines)
{
    const child_ledger ledger;
    for (const std::string name : {"asio_http", "beast_http", "process_v1", "process_v2"})
    {
        BOOST_TEST_CONTEXT(name)
        {
            example_run diff(loops::command("diff",
                {"-U0", helper_path(name + "_before.cpp"), helper_path(name + "_after.cpp")}));
            std::istringstream text(diff.output());
            BOOST_TEST(diff.code() == 1); // they differ
            int added = 0;
            int removed = 0;
            for (std::string line; std::getline(text, line);)
            {
                added += line[0] == '+' && line.rfind("+++ ", 0) != 0 ? 1 : 0;
                removed += line[0] == '-' && line.rfind("--- ", 0) != 0 ? 1 : 0;
            }
            BOOST_TEST(added > 0);
            BOOST_TEST(std::max(added, removed) <= 10);
        }
    }
}
