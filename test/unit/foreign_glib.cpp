// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE foreign_glib

#include <loops/event_loop.hpp>
#include <loops/foreign/glib.hpp>
#include <loops/foreign/glib_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/run.hpp>

#include "support/child_processes.hpp"
#include "support/echo_load.hpp"
#include "support/error_check.hpp"
#include "support/folder.hpp"
#include "support/latch.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <time.h>
#include <unistd.h>

using namespace std::chrono_literals;
namespace asio = boost::asio;
using test::child_ledger;

// Which has a descriptor that stays.
struct default_context
{
    default_context() { g_main_context_default(); }
};
BOOST_TEST_GLOBAL_FIXTURE(default_context);

namespace {

// Callbacks of GLib's that are functions of C++'s.
using function = std::function<bool()>;

gboolean call(gpointer data)
{
    return (*static_cast<function*>(data))() ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

void destroy(gpointer data)
{
    delete static_cast<function*>(data);
}

void attach(GSource* source, GMainContext* context, function body)
{
    g_source_set_callback(source, &call, new function(std::move(body)), &destroy);
    g_source_attach(source, context);
    g_source_unref(source);
}

void after(unsigned ms, GMainContext* context, function body)
{
    attach(g_timeout_source_new(ms), context, std::move(body));
}

void when_idle(GMainContext* context, function body)
{
    attach(g_idle_source_new(), context, std::move(body));
}

std::chrono::nanoseconds cpu_time()
{
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

struct unref
{
    void operator()(gpointer object) const { g_object_unref(object); }
};
template <class T>
using object = std::unique_ptr<T, unref>;

} // namespace

BOOST_AUTO_TEST_CASE(timers_of_both_on_one_thread)
{
    const child_ledger ledger;
    loops::event_loop loop;
    auto glib = std::make_unique<loops::glib_guest>(loop);
    BOOST_TEST(glib->context() == g_main_context_default());
    std::vector<std::string> order;
    const auto here = std::this_thread::get_id();
    asio::steady_timer second(loop);
    after(2, nullptr, [&] {
        BOOST_TEST((std::this_thread::get_id() == here));
        BOOST_TEST(g_main_context_is_owner(g_main_context_default()));
        BOOST_TEST(&loops::get_event_loop() == &loop);
        order.emplace_back("glib");
        second.expires_after(2ms);
        second.async_wait([&](const loops::error_code&) {
            BOOST_TEST((std::this_thread::get_id() == here));
            order.emplace_back("asio");
            after(2, nullptr, [&] {
                order.emplace_back("end");
                loop.stop();
                return false;
            });
        });
        return false;
    });
    loop.run();
    BOOST_TEST(order == (std::vector<std::string>{"glib", "asio", "end"}),
        boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(descriptors_and_wake_ups)
{
    const child_ledger ledger;
    loops::event_loop loop;
    loops::glib_guest glib(loop);
    int ends[2];
    BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    int seen = 0;
    struct reader
    {
        static gboolean read(gint fd, GIOCondition, gpointer data)
        {
            char byte = 0;
            if (::read(fd, &byte, 1) == 1)
                ++*static_cast<int*>(data);
            return G_SOURCE_CONTINUE;
        }
    };
    GSource* const source = g_unix_fd_source_new(ends[0], G_IO_IN);
    g_source_set_callback(source, G_SOURCE_FUNC(&reader::read), &seen, nullptr);
    g_source_attach(source, nullptr);
    test::latch runs; // before that, nobody owns the context, and each thread that invokes does
    when_idle(nullptr, [&] {
        runs.count_down();
        return false;
    });
    std::thread other([&] {
        BOOST_TEST(runs.wait());
        for (int i = 0; i != 100; ++i)
        {
            BOOST_TEST(::write(ends[1], "x", 1) == 1);
            test::latch invoked;
            // Of another thread: it runs on the one that owns the context.
            std::pair<test::latch*, std::thread::id> data(&invoked, std::thread::id());
            g_main_context_invoke(
                nullptr,
                [](gpointer to) -> gboolean {
                    auto& it = *static_cast<std::pair<test::latch*, std::thread::id>*>(to);
                    it.second = std::this_thread::get_id();
                    it.first->count_down();
                    return G_SOURCE_REMOVE;
                },
                &data);
            BOOST_TEST(invoked.wait());
            BOOST_TEST((data.second != std::this_thread::get_id()));
        }
        loop.stop();
    });
    loop.run();
    other.join();
    BOOST_TEST(seen > 0);
    g_source_destroy(source);
    g_source_unref(source);
    ::close(ends[0]);
    ::close(ends[1]);
}

// Asio's handlers may use GLib: the loop does not sleep past what they set up, though GLib tells nobody.
BOOST_AUTO_TEST_CASE(handlers_use_glib)
{
    loops::event_loop loop;
    loops::glib_guest glib(loop);
    asio::steady_timer timer(loop, 2ms);
    int calls = 0;
    timer.async_wait([&](const loops::error_code&) {
        when_idle(nullptr, [&] {
            ++calls;
            after(3, nullptr, [&] {
                ++calls;
                asio::post(loop, [&] {
                    after(1, nullptr, [&] {
                        ++calls;
                        loop.stop();
                        return false;
                    });
                });
                return false;
            });
            return false;
        });
    });
    loop.run();
    BOOST_TEST(calls == 3);
}

BOOST_AUTO_TEST_CASE(neither_starves)
{
    loops::event_loop loop;
    loops::glib_guest glib(loop);
    std::uint64_t handlers = 0;
    std::uint64_t idles = 0;
    bool over = false;
    std::function<void()> handler = [&] {
        ++handlers;
        if (!over)
            asio::post(loop, handler);
    };
    when_idle(nullptr, [&] {
        over = ++idles > 200 && handlers > 5000;
        if (over)
            loop.stop();
        return !over;
    });
    asio::post(loop, handler);
    loop.run();
    BOOST_TEST(handlers > 5000U);
    BOOST_TEST(idles > 200U);
}

BOOST_AUTO_TEST_CASE(idle_costs_nothing)
{
    loops::event_loop loop;
    loops::glib_guest glib(loop);
    after(150, nullptr, [&] {
        loop.stop();
        return false;
    });
    const auto before = cpu_time();
    loop.run();
    BOOST_TEST((cpu_time() - before < 75ms));
}

// Code that is not ours, beside a server under load: a monitor of GIO's sees a file come, change and go.
BOOST_AUTO_TEST_CASE(a_file_monitor_beside_a_server)
{
    const test::folder in;
    loops::event_loop loop;
    loops::glib_guest glib(loop);
    test::echo_load load(loop);
    const object<GFile> folder(g_file_new_for_path(in.path().c_str()));
    const object<GFileMonitor> monitor(
        g_file_monitor_directory(folder.get(), G_FILE_MONITOR_NONE, nullptr, nullptr));
    BOOST_REQUIRE(monitor);
    std::set<int> seen;
    using signal = void (*)(GFileMonitor*, GFile*, GFile*, GFileMonitorEvent, gpointer);
    const signal on_change = [](GFileMonitor*, GFile*, GFile*, GFileMonitorEvent event,
                                 gpointer data) {
        static_cast<std::set<int>*>(data)->insert(event);
    };
    g_signal_connect(monitor.get(), "changed", G_CALLBACK(on_change), &seen);
    int step = 0;
    after(1, nullptr, [&] {
        if (step == 0)
            in.write("file");
        if (step == 1)
            in.remove("file");
        if (step == 0 || (step == 1 && seen.count(G_FILE_MONITOR_EVENT_CREATED) != 0))
            ++step;
        const bool over = seen.count(G_FILE_MONITOR_EVENT_DELETED) != 0 && load.exchanges() > 1000;
        if (over)
        {
            load.stop();
            loop.stop();
        }
        return !over;
    });
    loop.run_for(test::patience);
    BOOST_TEST(seen.count(G_FILE_MONITOR_EVENT_CREATED) == 1U);
    BOOST_TEST(seen.count(G_FILE_MONITOR_EVENT_DELETED) == 1U);
    BOOST_TEST(load.exchanges() > 1000U);
}

// And D-Bus, between two ends of a socket, whose worker thread of GLib's hands messages over to the loop's.
BOOST_AUTO_TEST_CASE(d_bus_beside_a_server)
{
    const test::folder in;
    loops::event_loop loop;
    loops::glib_guest glib(loop);
    test::echo_load load(loop);
    struct conversation
    {
        GDBusConnection* served = nullptr;
        int calls = 0;
        int answers = 0;
        std::thread::id thread = std::this_thread::get_id();
        bool right_thread = true;
    } talk;
    const auto guid = std::unique_ptr<gchar, decltype(&g_free)>(g_dbus_generate_guid(), &g_free);
    const std::string address = "unix:path=" + (in / "bus").string();
    const object<GDBusServer> server(g_dbus_server_new_sync(address.c_str(),
        G_DBUS_SERVER_FLAGS_AUTHENTICATION_ALLOW_ANONYMOUS, guid.get(), nullptr, nullptr, nullptr));
    BOOST_REQUIRE(server);
    static const GDBusInterfaceVTable table = {
        [](GDBusConnection*, const gchar*, const gchar*, const gchar*, const gchar*,
            GVariant* parameters, GDBusMethodInvocation* invocation, gpointer data) {
            auto& it = *static_cast<conversation*>(data);
            ++it.calls;
            it.right_thread = it.right_thread && it.thread == std::this_thread::get_id();
            g_dbus_method_invocation_return_value(invocation, parameters);
        },
        nullptr, nullptr, {}};
    static GDBusNodeInfo* const node = g_dbus_node_info_new_for_xml(
        "<node><interface name='t.E'><method name='Echo'><arg type='s' direction='in'/>"
        "<arg type='s' direction='out'/></method></interface></node>",
        nullptr);
    using connected = gboolean (*)(GDBusServer*, GDBusConnection*, gpointer);
    const connected on_connection = [](GDBusServer*, GDBusConnection* fresh,
                                        gpointer data) -> gboolean {
        auto& it = *static_cast<conversation*>(data);
        it.served = static_cast<GDBusConnection*>(g_object_ref(fresh));
        g_dbus_connection_register_object(
            fresh, "/e", node->interfaces[0], &table, data, nullptr, nullptr);
        return TRUE;
    };
    g_signal_connect(server.get(), "new-connection", G_CALLBACK(on_connection), &talk);
    g_dbus_server_start(server.get());

    constexpr int rounds = 50;
    struct client
    {
        conversation& talk;
        loops::event_loop& loop;
        GDBusConnection* connection = nullptr;

        static void on_made(GObject*, GAsyncResult* result, gpointer data)
        {
            auto& it = *static_cast<client*>(data);
            it.connection = g_dbus_connection_new_for_address_finish(result, nullptr);
            it.ask();
        }
        void ask()
        {
            if (connection == nullptr || talk.answers == rounds)
                return loop.stop();
            g_dbus_connection_call(connection, nullptr, "/e", "t.E", "Echo",
                g_variant_new("(s)", "text"), nullptr, G_DBUS_CALL_FLAGS_NONE, -1, nullptr,
                &on_answer, this);
        }
        static void on_answer(GObject*, GAsyncResult* result, gpointer data)
        {
            auto& it = *static_cast<client*>(data);
            GVariant* const answer = g_dbus_connection_call_finish(it.connection, result, nullptr);
            if (answer == nullptr)
                return it.loop.stop();
            g_variant_unref(answer);
            ++it.talk.answers;
            it.ask();
        }
    } asks{talk, loop};
    g_dbus_connection_new_for_address(address.c_str(),
        G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, nullptr, nullptr, &client::on_made, &asks);
    loop.run_for(test::patience);
    load.stop();
    BOOST_TEST(talk.answers == rounds);
    BOOST_TEST(talk.calls == rounds);
    BOOST_TEST(talk.right_thread);
    BOOST_TEST(load.exchanges() > 0U);
    g_dbus_server_stop(server.get());
    for (GDBusConnection* const each : {asks.connection, talk.served})
    {
        if (each != nullptr)
        {
            g_dbus_connection_close_sync(each, nullptr, nullptr);
            g_object_unref(each);
        }
    }
}

// One loop after the other, on one thread after the other.
BOOST_AUTO_TEST_CASE(another_thread_runs_the_loop)
{
    loops::event_loop loop;
    loops::glib_guest glib(loop);
    const auto run_here = [&] {
        bool called = false;
        when_idle(nullptr, [&] {
            called = true;
            loop.stop();
            return false;
        });
        loop.restart();
        loop.run();
        BOOST_TEST(called);
    };
    run_here();
    std::thread(run_here).join();
    run_here();
}

BOOST_AUTO_TEST_CASE(a_context_of_its_own)
{
    const std::unique_ptr<GMainContext, decltype(&g_main_context_unref)> own(
        g_main_context_new(), &g_main_context_unref);
    loops::event_loop loop;
    loops::glib_guest glib(loop, own.get());
    bool called = false;
    when_idle(own.get(), [&] {
        called = g_main_context_get_thread_default() == own.get();
        loop.stop();
        return false;
    });
    loop.run();
    BOOST_TEST(called);
    BOOST_TEST(g_main_context_get_thread_default() == nullptr);
    BOOST_TEST(glib.context() == own.get());
}

BOOST_AUTO_TEST_CASE(a_policy_of_them)
{
    const auto policy =
        std::make_shared<loops::glib_policy>(std::make_shared<loops::pool_policy>(2));
    BOOST_TEST(policy->name() == "glib/pool");
    std::set<GMainContext*> contexts;
    test::latch all(2);
    policy->for_each_loop([&](asio::io_context& loop) {
        GMainContext* const context = policy->context_of(loop);
        contexts.insert(context);
        after(1, context, [&, own = &loop] {
            if (&loops::get_running_loop() == own)
                all.count_down();
            return false;
        });
    });
    BOOST_TEST(contexts.size() == 2U);
    BOOST_TEST(contexts.count(g_main_context_default()) == 1U);
    BOOST_TEST(all.wait());
    policy->close();
    test::check_error([] { loops::glib_policy{nullptr}; },
        make_error_code(boost::system::errc::invalid_argument), "null");
}

// The reverse: GLib owns the thread.
BOOST_AUTO_TEST_CASE(glib_runs_a_loop)
{
    const child_ledger ledger;
    asio::io_context loop;
    std::vector<std::string> order;
    {
        const loops::glib_host host(loop);
        BOOST_TEST(host.context() == g_main_context_default());
        GMainLoop* const main = g_main_loop_new(nullptr, FALSE);
        asio::steady_timer timer(loop, 10ms);
        timer.async_wait([&](const loops::error_code&) {
            BOOST_TEST(&loops::get_event_loop() == &loop);
            order.emplace_back("asio");
            // What a handler sets up in GLib is seen at once.
            after(1, nullptr, [&] {
                order.emplace_back("glib");
                asio::post(loop, [&] {
                    order.emplace_back("end");
                    g_main_loop_quit(main);
                });
                return false;
            });
        });
        g_main_loop_run(main);
        g_main_loop_unref(main);
    }
    BOOST_TEST(order == (std::vector<std::string>{"asio", "glib", "end"}),
        boost::test_tools::per_element());
}

// A loop without work is stopped when its host goes; the next one runs it all the same.
BOOST_AUTO_TEST_CASE(one_host_after_the_other)
{
    const child_ledger ledger;
    asio::io_context loop;
    int ran = 0;
    for (int round = 0; round != 3; ++round)
    {
        const loops::glib_host host(loop);
        GMainLoop* const main = g_main_loop_new(nullptr, FALSE);
        asio::post(loop, [&] {
            ++ran;
            g_main_loop_quit(main);
        });
        g_main_loop_run(main);
        g_main_loop_unref(main);
    }
    BOOST_TEST(ran == 3);
}

BOOST_AUTO_TEST_CASE(glib_runs_a_loop_under_load)
{
    asio::io_context loop;
    const loops::glib_host host(loop);
    GMainLoop* const main = g_main_loop_new(nullptr, FALSE);
    test::echo_load load(loop);
    int ticks = 0;
    int idles = 0;
    std::atomic<int> posted{0};
    after(1, nullptr, [&] {
        const bool over = ++ticks > 20 && load.exchanges() > 1000 && posted == 100 && idles > 20;
        if (over)
            g_main_loop_quit(main);
        return !over;
    });
    when_idle(nullptr, [&] { return ++idles < 100; });
    std::thread other([&] {
        for (int i = 0; i != 100; ++i)
        {
            test::latch ran;
            asio::post(loop, [&] {
                ++posted;
                ran.count_down();
            });
            BOOST_TEST(ran.wait());
        }
    });
    g_main_loop_run(main);
    other.join();
    load.stop();
    g_main_loop_unref(main);
    BOOST_TEST(load.exchanges() > 1000U);
    BOOST_TEST(posted == 100);
}

BOOST_AUTO_TEST_CASE(glib_runs_an_idle_loop_for_nothing)
{
    asio::io_context loop;
    const loops::glib_host host(loop);
    GMainLoop* const main = g_main_loop_new(nullptr, FALSE);
    asio::steady_timer timer(loop, 150ms);
    timer.async_wait([&](const loops::error_code&) { g_main_loop_quit(main); });
    const auto before = cpu_time();
    g_main_loop_run(main);
    BOOST_TEST((cpu_time() - before < 75ms));
    g_main_loop_unref(main);
}

BOOST_AUTO_TEST_CASE(a_handler_ends_the_host)
{
    asio::io_context loop;
    auto host = std::make_unique<loops::glib_host>(loop);
    GMainLoop* const main = g_main_loop_new(nullptr, FALSE);
    asio::post(loop, [&] {
        host.reset();
        g_main_loop_quit(main);
    });
    asio::post(loop, [] { BOOST_ERROR("it is not run any more"); });
    g_main_loop_run(main);
    BOOST_TEST(!host);
    g_main_loop_unref(main);
}

// A callback of GLib's may run a nested loop; a handler of the loop's has the loop to itself.
BOOST_AUTO_TEST_CASE(nested_loops)
{
    asio::io_context loop;
    const loops::glib_host host(loop);
    GMainLoop* const outer = g_main_loop_new(nullptr, FALSE);
    GMainLoop* const inner = g_main_loop_new(nullptr, FALSE);
    std::vector<std::string> order;
    asio::post(loop, [&] {
        BOOST_TEST(!g_main_context_iteration(nullptr, FALSE));
        when_idle(nullptr, [&] {
            asio::post(loop, [&] {
                order.emplace_back("in the inner one");
                g_main_loop_quit(inner);
            });
            g_main_loop_run(inner);
            order.emplace_back("in the outer one");
            g_main_loop_quit(outer);
            return false;
        });
    });
    g_main_loop_run(outer);
    BOOST_TEST(order == (std::vector<std::string>{"in the inner one", "in the outer one"}),
        boost::test_tools::per_element());
    g_main_loop_unref(inner);
    g_main_loop_unref(outer);
}

BOOST_AUTO_TEST_CASE(bad_hosts)
{
    asio::io_context loop;
    const loops::glib_host host(loop);
    asio::io_context other;
    test::check_error([&] { const loops::glib_host second(other); }, loops::error::already_running);
    loops::event_loop closed;
    closed.close();
    const std::unique_ptr<GMainContext, decltype(&g_main_context_unref)> own(
        g_main_context_new(), &g_main_context_unref);
    test::check_error(
        [&] { const loops::glib_host second(closed, own.get()); }, loops::error::loop_closed);
    test::check_error(
        [&] { const loops::glib_guest guest(closed, own.get()); }, loops::error::loop_closed);
}

// Descriptors that are closed while others of the same file are open leave nothing behind that wakes the loop.
BOOST_AUTO_TEST_CASE(descriptors_that_are_closed)
{
    loops::event_loop loop;
    loops::glib_guest glib(loop);
    int ends[2];
    BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    const int copy = ::dup(ends[0]);
    GSource* const source = g_unix_fd_source_new(ends[0], G_IO_IN);
    using reader = gboolean (*)(gint, GIOCondition, gpointer);
    const reader nothing = [](gint, GIOCondition, gpointer) -> gboolean {
        return G_SOURCE_CONTINUE;
    };
    g_source_set_callback(source, G_SOURCE_FUNC(nothing), nullptr, nullptr);
    g_source_attach(source, nullptr);
    asio::steady_timer later(loop, 5ms);
    later.async_wait([&](const loops::error_code&) {
        ::close(ends[0]);
        g_source_destroy(source);
        ::close(ends[1]); // the copy hangs up
        after(150, nullptr, [&] {
            loop.stop();
            return false;
        });
    });
    const auto before = cpu_time();
    loop.run();
    BOOST_TEST((cpu_time() - before < 75ms));
    g_source_unref(source);
    ::close(copy);
}

// Afterwards GLib polls as it did before.
BOOST_AUTO_TEST_CASE(a_host_goes)
{
    const GPollFunc before = g_main_context_get_poll_func(nullptr);
    {
        asio::io_context loop;
        const loops::glib_host host(loop);
        BOOST_TEST((g_main_context_get_poll_func(nullptr) != before));
    }
    BOOST_TEST((g_main_context_get_poll_func(nullptr) == before));
    int calls = 0;
    after(1, nullptr, [&] { return ++calls < 2; });
    while (calls < 2)
        g_main_context_iteration(nullptr, TRUE);
    BOOST_TEST(calls == 2);
}
