// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_derived

#include <loops/event_loop.hpp>

#include "support/child_watchers.hpp"
#include "support/error_check.hpp"

#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <utility>

using namespace test;
using loops::error;

// A watcher of a user's, with no hook overridden but the wait.

namespace {

class by_hand : public loops::child_watcher
{
public:
    ~by_hand() override { close(); }

    std::string name() const override { return "by hand"; }

    void end(const loops::child_exit& exit)
    {
        for (auto& each : std::exchange(waits, {}))
            std::move(each.second)(loops::error_code(), exit);
    }

    std::vector<std::pair<loops::pid_type, wait_handler>> waits;
    bool refuses = false;

private:
    void do_async_wait(loops::pid_type pid, wait_handler handler) override
    {
        if (refuses)
            throw std::runtime_error("refused by hand");
        waits.emplace_back(pid, std::move(handler));
    }
};

loops::child_exit exit_of(pid_t pid, int code)
{
    return loops::child_exit(pid, code << 8);
}

} // namespace

BOOST_AUTO_TEST_CASE(waits)
{
    by_hand watcher;
    const recorder record;
    watcher.async_wait(77, record);
    BOOST_REQUIRE(watcher.waits.size() == 1U);
    BOOST_TEST(watcher.waits.front().first == 77);
    watcher.end(exit_of(77, 3));
    BOOST_TEST(record.result->exit().returncode() == 3);
}

BOOST_AUTO_TEST_CASE(defaults_of_the_hooks)
{
    by_hand watcher;
    asio::io_context loop;
    loops::error_code ec;
    BOOST_TEST(watcher.is_active());
    check_error([&] { watcher.attach_loop(loop); },
        boost::system::errc::make_error_code(boost::system::errc::operation_not_supported),
        "by hand");
    watcher.attach_loop(nullptr, ec);
    BOOST_TEST((ec == boost::system::errc::operation_not_supported));
    watcher.close();
    BOOST_TEST(!watcher.is_active());
    watcher.add_child_handler(
        77, [](pid_t, int) {}, ec);
    BOOST_TEST((ec == error::watcher_closed));
    const recorder late;
    loops::event_loop running;
    asio::post(running, [&] { watcher.async_wait(77, late); });
    running.run();
    BOOST_TEST((late.result->ec() == error::watcher_closed));
    BOOST_TEST(watcher.waits.empty());
}

BOOST_AUTO_TEST_CASE(a_second_handler_replaces_the_first)
{
    by_hand watcher;
    tells_its_end first;
    const std::weak_ptr<int> alive = first.alive;
    const recorder second;
    watcher.add_child_handler(77, std::move(first));
    BOOST_TEST(!alive.expired());
    watcher.add_child_handler(77, second);
    BOOST_TEST(alive.expired());
    watcher.end(exit_of(77, 4)); // both waits end
    BOOST_TEST(second.result->calls() == 1U);
    BOOST_TEST(second.result->exit().returncode() == 4);
    BOOST_TEST(!watcher.remove_child_handler(77));
}

// What arrives for a handler that is gone was not reaped by Loops, and is kept for nobody.
BOOST_AUTO_TEST_CASE(nothing_is_kept)
{
    const child_ledger ledger;
    by_hand watcher;
    const pid_t pid = child_that_exits(5);
    int status = 0;
    BOOST_REQUIRE(::waitpid(pid, &status, 0) == pid);
    watcher.add_child_handler(pid, tells_its_end());
    BOOST_TEST(watcher.remove_child_handler(pid));
    BOOST_TEST(!watcher.remove_child_handler(pid));
    watcher.add_child_handler(pid, tells_its_end());
    watcher.add_child_handler(pid, recorder());
    watcher.end(loops::child_exit(pid, status));

    asio::io_context loop;
    const auto other = make_watcher("pidfd");
    by_callback way;
    const auto result = way.start(*other, loop, pid);
    loop.run();
    BOOST_TEST((result->ec() == error::not_a_child));
}

BOOST_AUTO_TEST_CASE(a_completion_that_is_destroyed_takes_the_handler_along)
{
    by_hand watcher;
    tells_its_end handler;
    const std::weak_ptr<int> alive = handler.alive;
    watcher.add_child_handler(77, std::move(handler));
    watcher.waits.clear();
    BOOST_TEST(alive.expired());
    BOOST_TEST(!watcher.remove_child_handler(77));
}

BOOST_AUTO_TEST_CASE(a_registration_that_throws)
{
    by_hand watcher;
    const recorder earlier;
    watcher.add_child_handler(77, earlier);
    watcher.refuses = true;
    tells_its_end handler;
    const std::weak_ptr<int> alive = handler.alive;
    BOOST_CHECK_THROW(watcher.add_child_handler(77, std::move(handler)), std::runtime_error);
    BOOST_TEST(alive.expired());
    watcher.end(exit_of(77, 6));
    BOOST_TEST(earlier.result->exit().returncode() == 6);
}

BOOST_AUTO_TEST_CASE(destroyed_with_handlers_pending)
{
    tells_its_end handler;
    const std::weak_ptr<int> alive = handler.alive;
    {
        by_hand watcher;
        watcher.add_child_handler(77, std::move(handler));
    }
    BOOST_TEST(alive.expired());
}

// The hooks name the handler that they are to remove.
BOOST_AUTO_TEST_CASE(removal_by_number)
{
    class counting : public by_hand
    {
    public:
        std::vector<handler_id> added;
        std::vector<handler_id> removed;

    private:
        void do_add_handler(loops::pid_type pid, handler_id id, wait_handler handler,
            loops::error_code& ec) override
        {
            added.push_back(id);
            child_watcher::do_add_handler(pid, id, std::move(handler), ec);
        }
        void do_remove_handler(loops::pid_type, handler_id id) override { removed.push_back(id); }
    };
    counting watcher;
    watcher.add_child_handler(77, recorder());
    watcher.add_child_handler(78, recorder());
    BOOST_TEST(watcher.remove_child_handler(78));
    BOOST_REQUIRE(watcher.added.size() == 2U);
    BOOST_TEST(watcher.added[0] < watcher.added[1]);
    BOOST_TEST(
        (watcher.removed == std::vector<loops::child_watcher::handler_id>{watcher.added[1]}));
}
