// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE small_examples

#include <loops/backend.hpp>
#include <loops/watcher/default_child_watcher.hpp>

#include "integration/example_run.hpp"
#include "support/arguments.hpp"
#include "support/folder.hpp"
#include "support/sanitizers.hpp"
#include "support/skipped.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

using namespace test;
namespace asio = boost::asio;

// The examples of one file each do what they say.

namespace {

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

// Those that need another library are not there without it.
std::optional<std::string> path_of(const std::string& name)
{
    try
    {
        return helper_path(name);
    }
    catch (const std::runtime_error& e)
    {
        skipped("small_examples/" + name, e.what());
        return std::nullopt;
    }
}

std::string get(unsigned short port)
{
    asio::io_context loop;
    asio::ip::tcp::socket socket(loop);
    socket.connect({asio::ip::address_v4::loopback(), port});
    asio::write(socket, asio::buffer(std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
    std::string answer;
    loops::error_code ec;
    asio::read(socket, asio::dynamic_buffer(answer), ec);
    return answer;
}

} // namespace

BOOST_AUTO_TEST_CASE(hours_in_no_time)
{
    const child_ledger ledger;
    example_run it(loops::command(helper_path("virtual_time"), {}));
    const std::string text = it.output();
    BOOST_TEST(it.code() == 0);
    BOOST_TEST(has(text, "17 calls in 18.2"), text);
}

// What the program finds here is what the library finds.
BOOST_AUTO_TEST_CASE(loops_info)
{
    const child_ledger ledger;
    example_run as_text(loops::command(helper_path("loops-info"), {}));
    const std::string text = as_text.output();
    BOOST_TEST(as_text.code() == 0);
    BOOST_TEST(has(text, "Asio by " + std::string(to_string(loops::backend()))), text);
    BOOST_TEST(has(text, loops::choose_child_watcher().reason), text);
    BOOST_TEST(has(text, ": " + std::to_string(loops::available_parallelism()) + " threads"), text);
    example_run as_json(loops::command(helper_path("loops-info"), {"--json"}));
    const std::string object = as_json.output();
    BOOST_TEST(as_json.code() == 0);
    BOOST_TEST(
        has(object, "\"child_watcher\":\"" + loops::choose_child_watcher().watcher->name() + "\""),
        object);
    BOOST_TEST(has(object, "\"features\":{\"pidfd\":{"), object);
    example_run bad(loops::command(helper_path("loops-info"), {"--none"}));
    bad.output();
    BOOST_TEST(bad.code() == 2);
}

BOOST_AUTO_TEST_CASE(gio_beside_asio)
{
    if (LOOPS_TEST_THREAD_SANITIZER != 0)
        return skipped("small_examples/gio_beside_asio",
            "ThreadSanitizer does not see what GLib does for its locks");
    const auto path = path_of("glib_and_asio");
    if (!path)
        return;
    const child_ledger ledger;
    const folder in;
    example_run it(loops::command(*path, {in.path().string()}));
    const std::string begin = "http://127.0.0.1:";
    const std::string text = it.until("Ctrl-C");
    BOOST_REQUIRE(has(text, begin));
    const auto port =
        static_cast<unsigned short>(std::stoi(text.substr(text.find(begin) + begin.size())));
    BOOST_TEST(has(get(port), "\r\n0 changes"));
    in.write("file");
    BOOST_TEST(eventually([&] { return !has(get(port), "\r\n0 changes"); }));
    it.signal(SIGTERM);
    BOOST_TEST(it.code() == 0);
}

BOOST_AUTO_TEST_CASE(libuv_beside_asio)
{
    const auto path = path_of("uv_and_asio");
    if (!path)
        return;
    const child_ledger ledger;
    example_run it(loops::command(*path, {}));
    const std::string text = it.output();
    BOOST_TEST(it.code() == 0);
    BOOST_TEST(has(text, "libuv looked localhost up: found"), text);
    BOOST_TEST(has(text, "a tick of libuv's"), text);
    BOOST_TEST(has(text, "Asio ends the ticks"), text);
}
