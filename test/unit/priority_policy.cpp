// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE priority_policy
#include <loops/detail/priority_fsm.hpp>
#include <loops/event_loop.hpp>
#include <loops/parking.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/priority_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/spawn.hpp>
#include <loops/watcher/pidfd_child_watcher.hpp>

#include "support/child_processes.hpp"
#include "support/error_check.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"
#include "support/skipped.hpp"

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#if defined(LOOPS_HAS_COROUTINES)
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
namespace execution = boost::asio::execution;
using loops::error;
using loops::event_loop;
using loops::priority_executor;
using loops::priority_policy;
using test::check_error;

namespace {

const auto invalid = make_error_code(boost::system::errc::invalid_argument);

// More than any test has handlers: nothing ages.
constexpr std::uint32_t never = 1U << 30;

std::shared_ptr<priority_policy> policy_of(int levels, std::uint32_t ageing)
{
    loops::priority_options options;
    options.levels = levels;
    options.ageing = ageing;
    return std::make_shared<priority_policy>(std::make_shared<loops::default_policy>(), options);
}

// A loop, and executors of it with each priority.
struct fixture
{
    explicit fixture(std::uint32_t ageing = never) : policy(policy_of(4, ageing)) {}

    priority_executor at(int priority) { return policy->get_executor(priority, loop); }

    // Has a letter written down, in the order of running.
    void post(int priority, char letter)
    {
        asio::post(at(priority), [this, letter] { order += letter; });
    }

    std::shared_ptr<priority_policy> policy;
    event_loop loop;
    std::string order;
};

} // namespace

BOOST_AUTO_TEST_CASE(the_order_is_strict_until_a_level_is_due)
{
    // Levels as they come, and as they are taken; each letter a handler of the level of that name.
    struct row
    {
        std::uint64_t ageing;
        const char* added;
        const char* taken;
    };
    for (const row& each :
        {row{never, "0123", "3210"}, row{never, "1010320", "3211000"}, row{1, "000111", "101010"},
            row{2, "0001111111", "1101101101"}, row{3, "0022222222", "2220222022"},
            row{3, "01333333333", "33310333"}, row{2, "0022222111", "2210210212"}})
    {
        loops::detail::priority_fsm order;
        order.limit_ageing(each.ageing);
        const std::string added = each.added;
        for (const char level : added)
            order.add(static_cast<std::size_t>(level - '0'));
        std::string taken;
        while (order.waiting() > 0)
            taken += static_cast<char>('0' + order.take());
        BOOST_TEST(taken.substr(0, std::string(each.taken).size()) == each.taken, added);
        std::string sorted = added;
        std::sort(sorted.begin(), sorted.end());
        std::sort(taken.begin(), taken.end());
        BOOST_TEST(taken == sorted);
    }
}

BOOST_AUTO_TEST_CASE(the_smallest_ageing_holds_and_bounds_every_wait)
{
    std::minstd_rand random(7); // NOLINT(bugprone-random-generator-seed): the same each time
    for (const std::uint64_t ageing : {1U, 5U, 64U})
    {
        loops::detail::priority_fsm order;
        order.limit_ageing(1000);
        order.limit_ageing(ageing);
        order.limit_ageing(1000);
        std::array<std::size_t, loops::detail::priority_fsm::most_levels> waiting{};
        std::array<std::uint64_t, loops::detail::priority_fsm::most_levels> overtaken{};
        std::uint64_t most = 0;
        for (int turn = 0; turn < 20000; ++turn)
        {
            for (int i = 0; i < 2; ++i) // twice as many as are served
            {
                const std::size_t level = random() % waiting.size();
                order.add(level);
                ++waiting[level];
            }
            const std::size_t taken = order.take();
            BOOST_REQUIRE(waiting[taken] > 0U);
            for (std::size_t level = 0; level < waiting.size(); ++level)
            {
                overtaken[level] = waiting[level] == 0 || level == taken ? 0 : overtaken[level] + 1;
                most = std::max(most, overtaken[level]);
            }
            --waiting[taken];
        }
        BOOST_TEST(most <= ageing + waiting.size() - 2);
        BOOST_TEST(most >= ageing);
    }
}

BOOST_AUTO_TEST_CASE(what_is_out_of_range_is_refused)
{
    check_error([] { priority_policy policy(nullptr); }, invalid, "null");
    check_error([] { policy_of(0, 1); }, invalid, "1 to 32");
    check_error([] { policy_of(33, 1); }, invalid, "33");
    check_error([] { policy_of(4, 0); }, invalid, "ageing");
    const auto policy = policy_of(32, 1);
    BOOST_TEST(policy->levels() == 32);
    BOOST_TEST(policy->name() == "priority/default");
    check_error([&] { policy->get_executor(-1); }, invalid, "-1");
    check_error([&] { policy->get_executor(32); }, invalid, "0 to 31");
    BOOST_TEST((policy->existing_event_loop() == nullptr)); // nothing was selected
    BOOST_TEST(policy->get_executor(31).priority() == 31);
    event_loop loop;
    loop.close();
    check_error([&] { policy->get_executor(1, loop); }, error::loop_closed, loop.name());
    policy->close();
    check_error([&] { policy->get_executor(1); }, error::policy_closed);
}

BOOST_AUTO_TEST_CASE(it_is_of_the_loop_that_the_inner_policy_selects)
{
    const auto pool = std::make_shared<loops::pool_policy>(3, loops::by_key);
    const auto policy = std::make_shared<priority_policy>(pool);
    for (std::uint64_t key = 0; key < 20; ++key)
    {
        loops::selection what;
        what.key = key;
        BOOST_TEST(&asio::query(policy->get_executor(1, what), execution::context) ==
                   &pool->select_event_loop(what));
    }
    policy->close();
    BOOST_TEST(pool->is_closed());
}

BOOST_AUTO_TEST_CASE(higher_ones_come_first_and_equal_ones_in_order)
{
    fixture f;
    for (const char letter : std::string("abc"))
    {
        f.post(0, letter);
        f.post(2, static_cast<char>(letter - 'a' + 'A'));
    }
    // Comes while others wait already, and has others come.
    asio::post(f.at(1), [&] {
        f.order += '1';
        f.post(3, '3');
        f.post(0, 'd');
    });
    BOOST_TEST(f.loop.run() == 9U);
    BOOST_TEST(f.order == "ABC13abcd");
}

BOOST_AUTO_TEST_CASE(nothing_starves)
{
    fixture f(5);
    int high = 0;
    std::vector<int> before; // how many high ones ran before each low one
    for (int i = 0; i < 3; ++i)
        asio::post(f.at(0), [&] { before.push_back(high); });
    // Never runs dry.
    const std::function<void()> again = [&] {
        if (++high < 100)
            asio::post(f.at(3), again);
    };
    asio::post(f.at(3), again);
    asio::post(f.at(3), again);
    f.loop.run();
    BOOST_TEST(before == (std::vector<int>{5, 10, 15}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(they_are_handlers_of_the_loop_like_any)
{
    fixture f;
    constexpr std::size_t many = 500; // more than there are tickets
    std::size_t ran = 0;
    for (std::size_t i = 0; i < many; ++i)
        asio::post(f.at(static_cast<int>(i % 4)), [&] { ++ran; });
    BOOST_TEST(f.loop.run_one() == 1U);
    BOOST_TEST(ran == 1U);
    asio::post(f.at(3), [&] { f.loop.stop(); });
    f.loop.run();
    BOOST_TEST(f.loop.stopped());
    BOOST_TEST(ran < many);
    f.loop.restart();
    f.loop.run();
    BOOST_TEST(ran == many);

    // Others of the loop have their turns in between.
    f.loop.restart();
    f.post(1, 'a');
    asio::post(f.loop, [&] { f.order += '.'; });
    f.post(2, 'b');
    f.post(3, 'c');
    asio::post(f.loop, [&] { f.order += '.'; });
    f.loop.run();
    BOOST_TEST(f.order == "c.ba.");

    // Those that wait for a ticket are work that waits, and do not hold up the others.
    f.loop.restart();
    ran = 0;
    for (std::size_t i = 0; i < many; ++i)
        asio::post(f.at(0), [&] { ++ran; });
    std::size_t by_then = many;
    asio::post(f.loop, [&] { by_then = ran; });
    BOOST_TEST(f.loop.poll() == many + 1);
    BOOST_TEST(by_then < many / 2);
}

BOOST_AUTO_TEST_CASE(it_is_an_executor_in_every_sense)
{
    fixture f;
    const priority_executor executor = f.at(2);
    static_assert(execution::is_executor<priority_executor>::value);
    static_assert(std::is_nothrow_copy_constructible_v<priority_executor>);
    static_assert(sizeof(priority_executor) == 2 * sizeof(void*));
    BOOST_TEST((executor == f.at(2)));
    BOOST_TEST((executor != f.at(1)));
    event_loop other;
    BOOST_TEST((executor != f.policy->get_executor(2, other)));

    BOOST_TEST(&asio::query(executor, execution::context) == &f.loop);
    BOOST_TEST((asio::query(executor, execution::mapping) == execution::mapping.thread));
    BOOST_TEST((asio::query(executor, execution::blocking) == execution::blocking.possibly));
    const auto never_blocking = asio::require(executor, execution::blocking.never);
    static_assert(std::is_same_v<decltype(never_blocking), const priority_executor>);
    BOOST_TEST((never_blocking != executor));
    BOOST_TEST((asio::query(never_blocking, execution::blocking) == execution::blocking.never));
    BOOST_TEST((asio::require(never_blocking, execution::blocking.possibly) == executor));
    const auto continuing = asio::prefer(executor, execution::relationship.continuation);
    BOOST_TEST(
        (asio::query(continuing, execution::relationship) == execution::relationship.continuation));
    BOOST_TEST(continuing.priority() == 2);
    static_assert(!asio::can_require<priority_executor, execution::blocking_t::always_t>::value);

    // Erased, it stays what it is.
    const asio::any_io_executor any = executor;
    BOOST_TEST(any.target<priority_executor>()->priority() == 2);
    BOOST_TEST((any == asio::any_io_executor(f.at(2))));
    BOOST_TEST(&asio::query(any, execution::context) == &f.loop);
    const asio::any_completion_executor any_completion = executor;
    asio::post(f.at(1), [&] { f.order += '1'; });
    asio::post(any, [&] { f.order += '2'; });
    any_completion.execute([&] { f.order += '3'; });
    asio::post(asio::bind_executor(f.at(3), [&] { f.order += 'h'; }));
    continuing.execute([&] { f.order += 'c'; });
    f.loop.run();
    BOOST_TEST(f.order == "h23c1");

    // Outstanding work keeps the loop going.
    f.loop.restart();
    auto work = asio::make_work_guard(executor);
    std::thread later([&] { asio::post(executor, [&] { work.reset(); }); });
    BOOST_TEST(f.loop.run() == 1U);
    later.join();
}

BOOST_AUTO_TEST_CASE(nothing_runs_inside_of_the_call)
{
    fixture f;
    asio::post(f.at(1), [&] {
        f.post(2, 'b');
        asio::dispatch(f.at(1), [&] { f.order += 'd'; });
        asio::dispatch(f.at(3), [&] { f.order += 'c'; });
        f.order += 'a';
    });
    f.loop.run();
    BOOST_TEST(f.order == "acbd");
}

BOOST_AUTO_TEST_CASE(strands_are_in_the_order_and_serial)
{
    fixture f;
    const auto high = asio::make_strand(f.at(3));
    const auto low = asio::make_strand(f.at(0));
    asio::post(low, [&] { f.order += 'x'; });
    f.post(1, 'b');
    asio::post(high, [&] {
        asio::dispatch(high, [&] { f.order += 'a'; }); // in the strand already
        f.order += 'A';
    });
    f.loop.run();
    BOOST_TEST(f.order == "aAbx");
}

BOOST_AUTO_TEST_CASE(completions_of_operations_are_in_the_order)
{
    using protocol = asio::local::stream_protocol;
    using socket = asio::basic_stream_socket<protocol, priority_executor>;
    fixture f;
    std::vector<std::unique_ptr<socket>> sockets;
    std::array<char, 8> data{};
    for (const int priority : {0, 1, 2, 3, 0, 1, 2, 3})
    {
        auto one = std::make_unique<socket>(f.at(priority));
        auto other = std::make_unique<socket>(f.at(priority));
        asio::local::connect_pair(*one, *other);
        asio::write(*other, asio::buffer("x", 1));
        one->async_read_some(asio::buffer(&data[sockets.size() / 2], 1),
            // All data is there, so that the loop hears of all of it at once.
            [&f, priority](const loops::error_code& ec, std::size_t) {
                f.order += ec ? '!' : static_cast<char>('0' + priority);
            });
        sockets.push_back(std::move(one));
        sockets.push_back(std::move(other));
    }
    f.loop.run();
    BOOST_TEST(f.order == "33221100");
}

BOOST_AUTO_TEST_CASE(what_a_composed_operation_does_in_between_is_in_the_order)
{
    fixture f;
    // Bound to the handler only; the sockets are the loop's.
    asio::local::stream_protocol::socket one(f.loop);
    asio::local::stream_protocol::socket other(f.loop);
    asio::local::connect_pair(one, other);
    const std::string line(5000, 'x');
    asio::write(other, asio::buffer(line + "\n"));
    constexpr int flood = 5000;
    int ran = 0;
    for (int i = 0; i < flood; ++i)
        asio::post(f.at(1), [&] { ++ran; });
    const auto read = [&](int priority) {
        auto text = std::make_shared<std::string>();
        asio::async_read_until(one, asio::dynamic_buffer(*text), '\n',
            asio::bind_executor(
                f.at(priority), [&, text](const loops::error_code& ec, std::size_t length) {
                    f.order = std::to_string(ec.value()) + ' ' + std::to_string(length) + ' ' +
                              (ran < flood ? "amid" : "after");
                }));
    };
    // Above the flood: some ten steps, each no later than the loop looks at its descriptors.
    read(2);
    while (f.order.empty())
        f.loop.run_one();
    BOOST_TEST(f.order == "0 5001 amid");
    BOOST_TEST(ran < flood / 2);
    // Below: not a step before the flood is over.
    asio::write(other, asio::buffer(line + "\n"));
    read(0);
    f.loop.run();
    BOOST_TEST(f.order == "0 5001 after");
}

BOOST_AUTO_TEST_CASE(an_exception_leaves_the_run_and_nothing_else_is_lost)
{
    fixture f;
    f.post(0, 'b');
    asio::post(f.at(1), [] { throw std::runtime_error("handler"); });
    f.post(2, 'a');
    BOOST_CHECK_THROW(f.loop.run(), std::runtime_error);
    f.loop.run();
    BOOST_TEST(f.order == "ab");
}

BOOST_AUTO_TEST_CASE(a_loop_that_closes_destroys_what_waits)
{
    auto policy = policy_of(4, never);
    auto loop = std::make_unique<event_loop>();
    bool called = false;
    const auto counted = std::make_shared<int>();
    // Its end uses the executor once more.
    struct posts_at_its_end
    {
        priority_executor executor;
        std::shared_ptr<int> counted;
        ~posts_at_its_end()
        {
            asio::post(executor, [kept = counted] {});
        }
    };
    for (int i = 0; i < 100; ++i)
        asio::post(policy->get_executor(i % 4, *loop), [&called, counted] { called = true; });
    const priority_executor executor = policy->get_executor(3, *loop);
    asio::post(executor,
        [at_end = std::make_shared<posts_at_its_end>(posts_at_its_end{executor, counted})] {});
    BOOST_TEST(counted.use_count() > 100);
    loop->close();
    BOOST_TEST(counted.use_count() == 1);
    asio::post(executor, [&called, counted] { called = true; });
    BOOST_TEST(counted.use_count() == 1);
    loop.reset();
    BOOST_TEST(!called);
}

BOOST_AUTO_TEST_CASE(several_threads_start_in_order)
{
    constexpr std::size_t threads = 3;
    loops::priority_options options;
    options.ageing = never;
    const auto policy =
        std::make_shared<priority_policy>(std::make_shared<loops::shared_policy>(threads), options);
    policy->start();
    // Nothing starts before all is there.
    test::latch inside(threads);
    test::latch filled;
    for (std::size_t i = 0; i < threads; ++i)
    {
        asio::post(policy->select_event_loop(), [&] {
            inside.count_down();
            filled.wait();
        });
    }
    BOOST_REQUIRE(inside.wait());
    constexpr std::size_t each = 300;
    std::mutex mutex;
    std::vector<int> started;
    test::latch all(4 * each);
    for (std::size_t i = 0; i < each; ++i)
    {
        for (int priority = 0; priority < 4; ++priority)
        {
            asio::post(policy->get_executor(priority), [&, priority] {
                {
                    const std::lock_guard lock(mutex);
                    started.push_back(priority);
                }
                all.count_down();
            });
        }
    }
    filled.count_down();
    BOOST_REQUIRE(all.wait());
    policy->close();
    // What another thread has taken it may not have written down yet.
    std::size_t late = 0;
    for (std::size_t i = 0; i < started.size(); ++i)
        late += started[i] == 3 - static_cast<int>(i / each) ? 0 : 1;
    BOOST_TEST(late <= 6 * (threads - 1)); // two places each, at three borders
}

BOOST_AUTO_TEST_CASE(any_thread_posts_while_others_run)
{
    const auto policy = std::make_shared<priority_policy>(std::make_shared<loops::pool_policy>(2));
    constexpr std::size_t each = 2000;
    constexpr std::size_t producers = 3;
    // By producer and priority; each loop has one thread, so that these are its alone.
    std::vector<std::vector<std::size_t>> seen(2 * producers);
    test::latch all(producers * each);
    std::vector<std::thread> threads;
    for (std::size_t producer = 0; producer < producers; ++producer)
    {
        asio::io_context& loop = policy->select_event_loop();
        threads.emplace_back([&, producer] {
            for (std::size_t i = 0; i < each; ++i)
            {
                const std::size_t priority = i % 2;
                const auto executor = policy->get_executor(static_cast<int>(priority), loop);
                asio::post(executor, [&, producer, priority, i] {
                    seen[2 * producer + priority].push_back(i);
                    all.count_down();
                });
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    BOOST_REQUIRE(all.wait());
    policy->close();
    for (const auto& those : seen)
    {
        BOOST_TEST(those.size() == each / 2);
        BOOST_TEST(std::is_sorted(those.begin(), those.end()));
    }
}

BOOST_AUTO_TEST_CASE(tasks_count_on_the_loop)
{
    fixture f;
    const auto spawn_on = [&](const auto& executor) {
        loops::spawn(
            executor, [&](auto) { f.order += std::to_string(loops::load_of(f.loop)); },
            asio::detached);
        BOOST_TEST(loops::load_of(f.loop) == 1);
        f.loop.restart();
        BOOST_CHECK_THROW(f.loop.run(), loops::system_error); // the end was dropped
        BOOST_TEST(loops::load_of(f.loop) == 0);
    };
    const priority_executor executor = f.at(2);
    spawn_on(executor);
    spawn_on(asio::make_strand(executor));
    spawn_on(asio::any_io_executor(executor));
    spawn_on(asio::any_io_executor(asio::make_strand(executor)));
    spawn_on(asio::any_io_executor(asio::prefer(executor, execution::outstanding_work.tracked)));
    BOOST_TEST(f.order == "11111");
}

BOOST_AUTO_TEST_CASE(waits_for_children_are_delivered_through_it)
{
    const test::child_ledger ledger;
    loops::pidfd_child_watcher watcher;
    fixture f;
    constexpr int flood = 200;
    int ran = 0;
    std::vector<int> by_then;
    const auto wait_on = [&](const auto& executor) {
        const pid_t pid = test::child_that_exits(3);
        test::until_dead(pid);
        watcher.async_wait(pid, asio::bind_executor(executor, [&](const loops::error_code& ec,
                                                                  const loops::child_exit& exit) {
            by_then.push_back(!ec && exit.exit_code() == 3 ? ran : -1);
        }));
    };
    wait_on(f.at(0));
    wait_on(asio::any_io_executor(f.at(0)));
    wait_on(asio::make_strand(f.at(0)));
    wait_on(f.at(2));
    for (int i = 0; i < flood; ++i)
        asio::post(f.at(1), [&] { ++ran; });
    f.loop.run();
    BOOST_REQUIRE(by_then.size() == 4U);
    BOOST_TEST(by_then[0] < flood);
    for (std::size_t i = 1; i < by_then.size(); ++i)
        BOOST_TEST(by_then[i] == flood);
}

BOOST_AUTO_TEST_CASE(a_forked_child_has_what_waited)
{
#if defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
    test::skipped("priority_policy/a_forked_child_has_what_waited",
        "Asio's io_uring backend loses operations in a forked child");
#else
    fixture f;
    constexpr std::size_t many = 100;
    for (std::size_t i = 0; i < many; ++i)
        f.post(static_cast<int>(i % 4), static_cast<char>('0' + i % 4));
    const auto runs_all = [&] {
        f.post(2, '2');
        f.loop.run();
        return f.order.size() == many + 1 &&
               std::is_sorted(f.order.begin(), f.order.end(), std::greater<>());
    };
    int code = -1;
    {
        loops::parking parked;
        loops::notify_fork(asio::execution_context::fork_prepare);
        code = test::in_forked_child([&] {
            loops::notify_fork(asio::execution_context::fork_child);
            return runs_all() ? 0 : 1;
        });
        loops::notify_fork(asio::execution_context::fork_parent);
    }
    BOOST_TEST(code == 0);
    BOOST_TEST(runs_all());
#endif
}

#if defined(LOOPS_HAS_COROUTINES)

BOOST_AUTO_TEST_CASE(coroutines_take_each_step_in_order)
{
    fixture f;
    const auto steps = [&](char letter) -> asio::awaitable<void> {
        for (int i = 0; i < 3; ++i)
        {
            f.order += letter;
            co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
        }
    };
    asio::co_spawn(f.at(0), steps('a'), asio::detached);
    asio::co_spawn(f.at(3), steps('d'), asio::detached);
    loops::spawn(f.at(1), steps('b'), asio::detached);
    loops::spawn(asio::make_strand(f.at(2)), steps('c'), asio::detached);
    f.loop.run();
    BOOST_TEST(f.order == "dddcccbbbaaa");
}

#endif
