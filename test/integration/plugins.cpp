// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// Two plug-ins, each loaded for itself and with hidden visibility, and the program agree on the
// current loop, on the running one and on what an error is.

#define BOOST_TEST_MODULE plugins

#include <loops/event_loop.hpp>
#include <loops/run.hpp>

#include "support/arguments.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#include <dlfcn.h>

namespace {

namespace asio = boost::asio;

class plugin
{
public:
    explicit plugin(const std::string& file)
        : handle_(::dlopen(test::helper_path(file).c_str(), RTLD_NOW | RTLD_LOCAL))
    {
        if (handle_ == nullptr)
            throw std::runtime_error(::dlerror());
        find(current_loop, "plugin_current_loop");
        find(running_loop, "plugin_running_loop");
        find(set_loop, "plugin_set_loop");
        find(throw_error, "plugin_throw");
        find(understands, "plugin_understands");
    }
    plugin(const plugin&) = delete;
    plugin& operator=(const plugin&) = delete;
    ~plugin() { ::dlclose(handle_); }

    asio::io_context* (*current_loop)();
    asio::io_context* (*running_loop)();
    void (*set_loop)(asio::io_context*);
    void (*throw_error)();
    bool (*understands)(const std::exception_ptr*);

private:
    template <class Function>
    void find(Function*& function, const char* name)
    {
        function = reinterpret_cast<Function*>(::dlsym(handle_, name));
        if (function == nullptr)
            throw std::runtime_error(::dlerror());
    }

    void* handle_;
};

struct both
{
    plugin a{"libplugin_a.so"};
    plugin b{"libplugin_b.so"};
};

} // namespace

BOOST_FIXTURE_TEST_CASE(are_two, both)
{
    BOOST_TEST((a.current_loop != b.current_loop));
}

BOOST_FIXTURE_TEST_CASE(one_current_loop, both)
{
    asio::io_context first;
    asio::io_context second;
    loops::set_event_loop(first);
    BOOST_TEST(a.current_loop() == &first);
    BOOST_TEST(b.current_loop() == &first);
    a.set_loop(&second);
    BOOST_TEST(b.current_loop() == &second);
    BOOST_TEST(&loops::get_event_loop() == &second);
    loops::set_event_loop(nullptr);
}

BOOST_FIXTURE_TEST_CASE(one_for_each_thread, both)
{
    asio::io_context ours;
    asio::io_context theirs;
    a.set_loop(&ours);
    const asio::io_context* seen = nullptr;
    std::thread([&] {
        b.set_loop(&theirs);
        seen = a.current_loop();
    }).join();
    BOOST_TEST(seen == &theirs);
    BOOST_TEST(b.current_loop() == &ours);
    loops::set_event_loop(nullptr);
}

BOOST_FIXTURE_TEST_CASE(one_running_loop, both)
{
    loops::event_loop loop;
    const asio::io_context* seen_by_a = nullptr;
    const asio::io_context* seen_by_b = nullptr;
    asio::post(loop, [&] {
        seen_by_a = a.running_loop();
        seen_by_b = b.running_loop();
    });
    loops::run_loop(loop);
    BOOST_TEST(seen_by_a == &loop);
    BOOST_TEST(seen_by_b == &loop);
    BOOST_TEST(a.running_loop() == nullptr);
}

BOOST_FIXTURE_TEST_CASE(errors, both)
{
    std::exception_ptr thrown;
    try
    {
        a.throw_error();
    }
    catch (const loops::system_error& e)
    {
        BOOST_TEST((e.code() == loops::error::loop_closed));
        thrown = std::current_exception();
    }
    BOOST_REQUIRE(thrown);
    BOOST_TEST(a.understands(&thrown));
    BOOST_TEST(b.understands(&thrown));
    thrown = nullptr; // before the code that made it is unloaded
}

// A slot that a plug-in filled outlives the plug-in, and is emptied by the loop's end.
BOOST_AUTO_TEST_CASE(unloaded)
{
    asio::io_context loop;
    {
        both loaded;
        loaded.a.set_loop(&loop);
    }
    BOOST_TEST(&loops::get_event_loop() == &loop);
    BOOST_TEST(both().b.current_loop() == &loop);
    loops::set_event_loop(nullptr);
}
