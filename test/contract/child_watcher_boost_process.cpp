// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE child_watcher_boost_process
#define LOOPS_WITH_BOOST_PROCESS_V1

#include <loops/detail/boost_process.hpp>

#include "support/child_outcomes.hpp"
#include "support/child_watchers.hpp"
#include "support/error_check.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace test;
using loops::error;

// The objects of both generations of Boost.Process are taken.

namespace {

namespace v1 = loops::detail::boost_process_v1;
namespace v2 = boost::process::v2;

// The generations.
struct generation_1
{
    using process = v1::child;
    static process start(asio::io_context&, const std::string& script)
    {
        return process("/bin/sh", v1::args({"-c", script}));
    }
    static process none(asio::io_context&) { return {}; }
};

struct generation_2
{
    using process = v2::process;
    static process start(asio::io_context& loop, const std::string& script)
    {
        return process(loop, "/bin/sh", {"-c", script});
    }
    static process none(asio::io_context& loop) { return process(loop.get_executor()); }
};

struct taken_by_callback
{
    template <class Process>
    outcome_ptr start(loops::child_watcher& watcher, asio::io_context& loop, Process&& process)
    {
        const recorder record;
        watcher.async_wait(
            std::forward<Process>(process), asio::bind_executor(loop.get_executor(), record));
        return record.result;
    }
    void finish() {}
};

class taken_by_future
{
public:
    template <class Process>
    outcome_ptr start(loops::child_watcher& watcher, asio::io_context& loop, Process&& process)
    {
        auto result = std::make_shared<outcome>();
        waits_.emplace_back(
            result, watcher.async_wait(std::forward<Process>(process),
                        asio::bind_executor(loop.get_executor(), asio::use_future)));
        return result;
    }
    void finish()
    {
        for (auto& each : waits_)
        {
            loops::child_exit exit;
            const auto ec = error_of([&] { exit = each.second.get(); });
            each.first->end(ec, exit);
        }
        waits_.clear();
    }

private:
    std::vector<std::pair<outcome_ptr, std::future<loops::child_exit>>> waits_;
};

#if defined(LOOPS_HAS_COROUTINES)
struct taken_by_coroutine
{
    template <class Process>
    outcome_ptr start(loops::child_watcher& watcher, asio::io_context& loop, Process process)
    {
        auto result = std::make_shared<outcome>();
        asio::co_spawn(loop, wait(watcher, std::move(process), result), asio::detached);
        return result;
    }
    void finish() {}

    template <class Process>
    static asio::awaitable<void> wait(
        loops::child_watcher& watcher, Process process, outcome_ptr result)
    {
        const auto [ec, exit] =
            co_await watcher.async_wait(std::move(process), asio::as_tuple(asio::use_awaitable));
        result->end(ec, exit);
    }
};
#endif

template <std::size_t Threads, class Generation, class Way = taken_by_callback>
struct taking : setup<Threads, Way>
{
    using generation = Generation;
};

using generations = std::tuple<taking<1, generation_1>, taking<1, generation_2>>;

using takings = std::tuple<taking<1, generation_1>, taking<4, generation_1>,
    taking<1, generation_1, taken_by_future>, taking<1, generation_2>, taking<4, generation_2>,
    taking<1, generation_2, taken_by_future>
#if defined(LOOPS_HAS_COROUTINES)
    ,
    taking<1, generation_1, taken_by_coroutine>, taking<4, generation_1, taken_by_coroutine>,
    taking<1, generation_2, taken_by_coroutine>, taking<4, generation_2, taken_by_coroutine>
#endif
    >;

// A script whose child stops until it is let go.
std::string stops_then(const std::string& script)
{
    return "kill -STOP $$; " + script;
}

void until_stopped(pid_t pid)
{
    siginfo_t info{};
    require(::waitid(P_PID, static_cast<id_t>(pid), &info, WSTOPPED | WNOWAIT) == 0, "waitid");
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(ends, Setup, takings)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    using generation = typename Setup::generation;
    // Version 2 opens the pidfd of what it started: somebody who reaps everyone may be faster.
    auto first = generation::start(loop, "exit 3");
    auto second = generation::start(loop, "kill -9 $$");
    auto third = generation::start(loop, "exit 0");
    const auto exited = way.start(*watcher, loop, std::move(first));
    const auto killed = way.start(*watcher, loop, std::move(second));
    const auto well = way.start(*watcher, loop, std::move(third));
    Setup::run(loop);
    way.finish();
    BOOST_TEST(is_true(*exited, 3));
    BOOST_TEST(is_true(*killed, -SIGKILL));
    BOOST_TEST(is_true(*well, 0));
}

// The object that was handed over goes at once; its destructor would kill a running child.
BOOST_AUTO_TEST_CASE_TEMPLATE(detached, Setup, takings)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    outcome_ptr result;
    pid_t pid = 0;
    {
        auto process = Setup::generation::start(loop, stops_then("exit 4"));
        pid = process.id();
        result = way.start(*watcher, loop, std::move(process));
    }
    until_stopped(pid);
    ::kill(pid, SIGCONT);
    Setup::run(loop);
    way.finish();
    BOOST_TEST(is_true(*result, 4));
    BOOST_TEST(result->exit().pid() == pid);
}

// An object that is given another child, once it was moved from.
BOOST_AUTO_TEST_CASE_TEMPLATE(used_again, Setup, generations)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    auto process = Setup::generation::start(loop, "exit 1");
    const auto first = way.start(*watcher, loop, std::move(process));
    process = Setup::generation::start(loop, stops_then("exit 2"));
    until_stopped(process.id());
    ::kill(process.id(), SIGCONT);
    const auto second = way.start(*watcher, loop, std::move(process));
    Setup::run(loop);
    BOOST_TEST(is_true(*first, 1));
    BOOST_TEST(is_true(*second, 2));
}

// Refused at the call; the object is as before.
BOOST_AUTO_TEST_CASE_TEMPLATE(no_process, Setup, generations)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    auto none = Setup::generation::none(loop);
    const auto id = none.id();
    check_error(
        [&] { watcher->async_wait(std::move(none), recorder()); }, asio::error::invalid_argument);
    check_error([&] { watcher->async_wait(std::move(none), asio::use_future); },
        asio::error::invalid_argument);
    BOOST_TEST(none.id() == id);
    BOOST_TEST(loop.run() == 0U);
    // It can be used.
    none = Setup::generation::start(loop, "exit 5");
    typename Setup::way way;
    const auto result = way.start(*watcher, loop, std::move(none));
    Setup::run(loop);
    BOOST_TEST(is_true(*result, 5));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(closed, Setup, takings)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    typename Setup::way way;
    auto process = Setup::generation::start(loop, stops_then("exit 4"));
    const pid_t pid = process.id();
    watcher->close();
    const auto result = way.start(*watcher, loop, std::move(process));
    Setup::run(loop);
    way.finish();
    BOOST_TEST((result->ec() == error::watcher_closed));
    // Detached all the same, neither signalled nor reaped.
    until_stopped(pid);
    ::kill(pid, SIGCONT);
    int status = -1;
    BOOST_TEST(::waitpid(pid, &status, 0) == pid);
    BOOST_TEST(status == 4 << 8);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cancelled, Setup, generations)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    watcher->attach_loop(loop);
    auto process = Setup::generation::start(loop, stops_then("exit 6"));
    const pid_t pid = process.id();
    asio::cancellation_signal signal;
    const recorder record;
    watcher->async_wait(std::move(process), asio::bind_cancellation_slot(signal.slot(), record));
    until_stopped(pid);
    signal.emit(asio::cancellation_type::total);
    Setup::run(loop);
    BOOST_TEST((record.result->ec() == asio::error::operation_aborted));
    by_callback way;
    const auto result = way.start(*watcher, loop, pid);
    ::kill(pid, SIGCONT);
    Setup::run(loop);
    BOOST_TEST(is_true(*result, 6));
}

// Not before the operation runs.
BOOST_AUTO_TEST_CASE_TEMPLATE(lazy, Setup, generations)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    auto first = Setup::generation::start(loop, "exit 7");
    watcher->attach_loop(loop);
    auto operation = watcher->async_wait(std::move(first), asio::deferred);
    BOOST_TEST(loop.run() == 0U);
    const recorder record;
    std::move(operation)(record);
    Setup::run(loop);
    BOOST_TEST(is_true(*record.result, 7));
    // Never run, it has its process, and does with it what that does.
    auto process = Setup::generation::start(loop, stops_then("exit 8"));
    const pid_t pid = process.id();
    until_stopped(pid);
    {
        const auto never = watcher->async_wait(std::move(process), asio::deferred);
        BOOST_TEST(::kill(pid, 0) == 0);
    }
    BOOST_TEST(::kill(pid, 0) == -1);
}

namespace {

// Whatever has their members.
struct look_alike
{
    std::optional<pid_t> pid;
    int* detached;

    look_alike(pid_t number, int& count) : pid(number), detached(&count) {}
    look_alike(look_alike&& other) noexcept
        : pid(std::exchange(other.pid, std::nullopt)), detached(other.detached)
    {}
    pid_t id() const { return pid.value_or(0); }
    void detach()
    {
        ++*detached;
        pid.reset();
    }
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(look_alikes, Setup, setups)
{
    const child_ledger ledger;
    asio::io_context loop;
    const auto watcher = Setup::make();
    int detached = 0;
    taken_by_callback way;
    const auto result = way.start(*watcher, loop, look_alike(child_that_exits(8), detached));
    BOOST_TEST(detached == 1);
    check_error([&] { watcher->async_wait(look_alike(0, detached), recorder()); },
        asio::error::invalid_argument);
    BOOST_TEST(detached == 1);
    Setup::run(loop);
    BOOST_TEST(is_true(*result, 8));
    BOOST_TEST(detached == 1);
}
