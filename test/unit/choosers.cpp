// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE choosers
#include <loops/error.hpp>
#include <loops/event_loop.hpp>
#include <loops/make_policy.hpp>
#include <loops/policy/chooser.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/run.hpp>
#include <loops/spawn.hpp>

#include "support/error_check.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"
#include "support/skipped.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sched.h>

namespace asio = boost::asio;
using loops::chooser;
using loops::pool_policy;
using loops::pool_view;
using loops::selection;
using test::check_error;

namespace {

const auto invalid = make_error_code(boost::system::errc::invalid_argument);

std::shared_ptr<pool_policy> make_pool(std::size_t threads, chooser choose)
{
    return std::make_shared<pool_policy>(threads, std::move(choose));
}

selection with_key(std::uint64_t key)
{
    selection what;
    what.key = key;
    return what;
}

selection with_cpu(unsigned cpu)
{
    selection what;
    what.cpu = cpu;
    return what;
}

std::size_t index_of(pool_policy& pool, const asio::io_context& loop)
{
    for (std::size_t i = 0; i < pool.size(); ++i)
    {
        if (&pool.loop(i) == &loop)
            return i;
    }
    return pool.size();
}

// Which loop each of `keys` has in a pool of `size`.
std::vector<std::size_t> places(std::size_t size, const std::vector<std::uint64_t>& keys)
{
    const auto pool = make_pool(size, loops::by_key);
    std::vector<std::size_t> found;
    found.reserve(keys.size());
    for (const std::uint64_t key : keys)
        found.push_back(index_of(*pool, pool->select_event_loop(with_key(key))));
    return found;
}

std::vector<std::size_t> counts(std::size_t size, const std::vector<std::size_t>& indices)
{
    std::vector<std::size_t> result(size);
    for (const std::size_t index : indices)
        ++result.at(index);
    return result;
}

// Selects `number` times, and tells how often each loop was it.
std::vector<std::size_t> shares(pool_policy& pool, std::size_t number, const selection& what = {})
{
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < number; ++i)
        indices.push_back(index_of(pool, pool.select_event_loop(what)));
    return counts(pool.size(), indices);
}

// Checks that each of `counted` is within `tolerance` of an equal share.
void check_even(const std::vector<std::size_t>& counted, double tolerance)
{
    const double whole =
        static_cast<double>(std::accumulate(counted.begin(), counted.end(), std::size_t(0)));
    const double share = whole / static_cast<double>(counted.size());
    for (const std::size_t count : counted)
    {
        BOOST_TEST(static_cast<double>(count) > share * (1 - tolerance));
        BOOST_TEST(static_cast<double>(count) < share * (1 + tolerance));
    }
}

// Calls `f` on the thread of a pool's loop and waits for it, outside of Boost.Test's macros: `f` may
// use these.
template <class F>
void on_loop(asio::io_context& loop, F f)
{
    test::latch done;
    asio::post(loop, [&] {
        f();
        done.count_down();
    });
    const bool came = done.wait();
    BOOST_REQUIRE(came);
}

std::vector<unsigned> own_cpus()
{
    cpu_set_t set;
    CPU_ZERO(&set);
    BOOST_REQUIRE(sched_getaffinity(0, sizeof set, &set) == 0);
    std::vector<unsigned> cpus;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    {
        if (CPU_ISSET(cpu, &set))
            cpus.push_back(cpu);
    }
    return cpus;
}

std::shared_ptr<pool_policy> pinned_pool(std::size_t threads)
{
    loops::pool_options options;
    options.threads = threads;
    options.pin = loops::pinning::compact;
    options.chooser = loops::by_cpu;
    return std::make_shared<pool_policy>(std::move(options));
}

struct named
{
    const char* name;
    std::function<chooser()> make;
};

const std::vector<named> all_choosers{
    {"round_robin", [] { return chooser(loops::round_robin); }},
    {"least_loaded", [] { return chooser(loops::least_loaded); }},
    {"two_choices", [] { return chooser(loops::two_choices); }},
    {"by_key", [] { return chooser(loops::by_key); }},
    {"by_cpu", [] { return chooser(loops::by_cpu); }},
    {"prefer_current", [] { return loops::prefer_current(); }},
};

} // namespace

BOOST_AUTO_TEST_CASE(each_is_named_and_made_from_its_name)
{
    for (const named& each : all_choosers)
    {
        BOOST_TEST(each.make().name() == each.name);
        const auto policy =
            loops::make_policy("pool:2,chooser=" + std::string(each.name) + ",pin=spread");
        BOOST_TEST(std::dynamic_pointer_cast<pool_policy>(policy)->size() == 2U);
        check_error([] { loops::make_policy("pool,chooser=two_choice"); }, invalid, each.name);
    }
    // The name chose the chooser.
    const auto pool = loops::make_policy("pool:8,chooser=by_key");
    const asio::io_context& first = pool->select_event_loop(with_key(1));
    for (int i = 0; i < 100; ++i)
        BOOST_TEST(&pool->select_event_loop(with_key(1)) == &first);
}

BOOST_AUTO_TEST_CASE(a_pool_of_one_has_no_choice)
{
    for (const named& each : all_choosers)
    {
        const auto pool = make_pool(1, each.make());
        selection what = with_key(7);
        what.cpu = 3;
        BOOST_TEST(&pool->select_event_loop(what) == &pool->loop(0));
        loops::lease busy = pool->acquire({}, 100);
        BOOST_TEST(&pool->select_event_loop() == &pool->loop(0));
        on_loop(pool->loop(0), [&] { BOOST_TEST(&pool->select_event_loop() == &pool->loop(0)); });
    }
}

BOOST_AUTO_TEST_CASE(two_choices_without_load_is_even)
{
    const auto pool = make_pool(5, loops::two_choices);
    check_even(shares(*pool, 20000), 0.1); // 7 standard deviations
}

BOOST_AUTO_TEST_CASE(two_choices_never_takes_the_most_loaded)
{
    const auto pool = make_pool(4, loops::two_choices);
    const loops::lease heavy(pool->loop(2), 5);
    const loops::lease light(pool->loop(1), 1);
    const auto counted = shares(*pool, 12000);
    BOOST_TEST(counted[2] == 0U);
    // Loop 1 wins against loop 2 only: one pair of six; the others win against it, and halve their
    // own pair.
    BOOST_TEST(counted[1] > 1600U);
    BOOST_TEST(counted[1] < 2400U);
    BOOST_TEST(counted[0] > 4500U);
    BOOST_TEST(counted[3] > 4500U);
}

BOOST_AUTO_TEST_CASE(two_choices_balances_leases_of_unequal_weight)
{
    const auto pool = make_pool(8, loops::two_choices);
    std::vector<loops::lease> held;
    held.reserve(4000);
    for (int i = 0; i < 4000; ++i)
        held.push_back(pool->acquire({}, i % 2 == 0 ? 10 : 1)); // what round robin deals worst
    std::vector<std::int64_t> loads;
    for (std::size_t i = 0; i < pool->size(); ++i)
        loads.push_back(loops::load_of(pool->loop(i)));
    const auto [least, most] = std::minmax_element(loads.begin(), loads.end());
    // The mean is 2750. Choices at random would be some hundred apart.
    BOOST_TEST(*most - *least < 100);
    held.clear();
    check_even(shares(*pool, 20000), 0.15);
}

BOOST_AUTO_TEST_CASE(threads_choose_differently)
{
    std::vector<std::vector<std::size_t>> chosen(2);
    const auto pool = make_pool(16, loops::two_choices);
    pool->start();
    for (auto& own : chosen)
    {
        std::thread([&] {
            for (int i = 0; i < 64; ++i)
                own.push_back(index_of(*pool, pool->select_event_loop()));
        }).join();
    }
    BOOST_TEST((chosen[0] != chosen[1]));
}

BOOST_AUTO_TEST_CASE(equal_keys_have_one_loop_and_keys_spread)
{
    std::vector<std::uint64_t> counting(20000);
    std::iota(counting.begin(), counting.end(), 0U);
    const auto scaled = [&](std::uint64_t by) {
        auto keys = counting;
        for (auto& key : keys)
            key *= by;
        return keys;
    };
    // As counters, as addresses, and with nothing but high bits.
    for (const auto& keys : {counting, scaled(64), scaled(std::uint64_t(1) << 49)})
    {
        const auto first = places(7, keys);
        BOOST_TEST((places(7, keys) == first)); // in another pool as well
        check_even(counts(7, first), 0.1);
    }
    const std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
    BOOST_TEST(places(3, {0, last}) == places(3, {0, last}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_pool_of_one_more_takes_its_share_of_the_keys_and_moves_no_other)
{
    std::vector<std::uint64_t> keys(10000);
    std::iota(keys.begin(), keys.end(), 1000U);
    auto before = places(1, keys);
    for (std::size_t size = 2; size <= 12; ++size)
    {
        const auto after = places(size, keys);
        std::size_t moved = 0;
        for (std::size_t i = 0; i < keys.size(); ++i)
        {
            if (after[i] == before[i])
                continue;
            ++moved;
            BOOST_TEST(after[i] == size - 1); // to the new loop only
        }
        const double share = static_cast<double>(keys.size()) / static_cast<double>(size);
        BOOST_TEST(static_cast<double>(moved) > share * 0.85);
        BOOST_TEST(static_cast<double>(moved) < share * 1.15);
        check_even(counts(size, after), 0.2);
        before = after;
    }
}

BOOST_AUTO_TEST_CASE(without_a_key_or_cpu_the_load_decides)
{
    for (const auto& choose : {chooser(loops::by_key), chooser(loops::by_cpu)})
    {
        const auto pool = make_pool(3, choose);
        check_even(shares(*pool, 9000), 0.15);
        const loops::lease heavy(pool->loop(1), 5);
        BOOST_TEST(shares(*pool, 100)[1] == 0U);
    }
    // What the other one goes by does not help.
    const auto pool = make_pool(3, loops::by_key);
    check_even(shares(*pool, 9000, with_cpu(0)), 0.15);
}

BOOST_AUTO_TEST_CASE(a_key_goes_to_its_loop_whatever_the_load)
{
    const auto pool = make_pool(4, loops::by_key);
    const asio::io_context& its = pool->select_event_loop(with_key(42));
    const loops::lease heavy = pool->acquire(with_key(42), 1000);
    BOOST_TEST(&heavy.get_event_loop() == &its);
    BOOST_TEST(&pool->select_event_loop(with_key(42)) == &its);
}

BOOST_AUTO_TEST_CASE(a_cpu_goes_to_the_loop_that_is_bound_to_it)
{
    const auto cpus = own_cpus();
    const auto pool = pinned_pool(cpus.size());
    const auto check = [&] {
        for (std::size_t i = 0; i < cpus.size(); ++i)
        {
            asio::io_context& loop = pool->select_event_loop(with_cpu(cpus[i]));
            BOOST_TEST(&loop == &pool->loop(i));
            on_loop(loop, [&] { BOOST_TEST((own_cpus() == std::vector<unsigned>{cpus[i]})); });
        }
    };
    check();
    const loops::lease heavy(pool->loop(0), 1000); // placement is not by load
    check();
    pool->stop();
    pool->join();
    pool->start();
    check();
}

BOOST_AUTO_TEST_CASE(a_restart_binds_to_the_cpus_of_that_moment)
{
    const auto cpus = own_cpus();
    if (cpus.size() < 2)
        return test::skipped("choosers/a_restart_binds_to_the_cpus_of_that_moment", "one CPU");
    const auto pool = pinned_pool(2);
    pool->start();
    const auto keep = [](const std::vector<unsigned>& which) {
        cpu_set_t set;
        CPU_ZERO(&set);
        for (const unsigned cpu : which)
            CPU_SET(cpu, &set);
        BOOST_REQUIRE(sched_setaffinity(0, sizeof set, &set) == 0);
    };
    for (int round = 0; round < 2; ++round)
    {
        keep({cpus.back()});
        pool->stop();
        pool->join();
        pool->start();
        keep(cpus);
        const auto counted = shares(*pool, 200, with_cpu(cpus.back())); // both are there now
        BOOST_TEST(counted[0] > 0U);
        BOOST_TEST(counted[1] > 0U);
        pool->stop();
        pool->join();
        pool->start();
        BOOST_TEST(&pool->select_event_loop(with_cpu(cpus.front())) == &pool->loop(0));
    }
}

BOOST_AUTO_TEST_CASE(loops_that_share_a_cpu_share_its_work_by_load)
{
    const auto cpus = own_cpus();
    const auto pool = pinned_pool(cpus.size() * 3);
    const auto counted = shares(*pool, 3000, with_cpu(cpus[0]));
    for (std::size_t i = 0; i < pool->size(); ++i)
    {
        if (i % cpus.size() == 0)
            BOOST_TEST(counted[i] > 700U);
        else
            BOOST_TEST(counted[i] == 0U);
    }
    const loops::lease heavy(pool->loop(0), 5);
    BOOST_TEST(shares(*pool, 200, with_cpu(cpus[0]))[0] == 0U);
}

BOOST_AUTO_TEST_CASE(a_cpu_without_a_loop_has_the_same_one_each_time)
{
    for (const auto& pool : {make_pool(4, loops::by_cpu), pinned_pool(4)})
    {
        for (const unsigned cpu : {5000U, 5001U, 5002U, 5003U, std::numeric_limits<unsigned>::max(),
                 std::numeric_limits<unsigned>::max() - 1})
        {
            const auto counted = shares(*pool, 20, with_cpu(cpu));
            BOOST_TEST(counted[cpu % 4] == 20U);
        }
    }
}

BOOST_AUTO_TEST_CASE(prefer_current_stays_up_to_its_margin)
{
    const auto pool = make_pool(3, loops::prefer_current({4}));
    asio::io_context& own = pool->loop(1);
    loops::lease load(own, 4);
    const auto shares_there = [&](std::size_t number) {
        std::vector<std::size_t> counted;
        on_loop(own, [&] { counted = shares(*pool, number); });
        return counted;
    };
    BOOST_TEST(shares_there(100)[1] == 100U);
    load.reweigh(5);
    BOOST_TEST(shares_there(100)[1] == 0U);
    const loops::lease zero(pool->loop(0), 1);
    BOOST_TEST(shares_there(100)[2] == 100U); // the better of the others
    const loops::lease two(pool->loop(2), 1);
    BOOST_TEST(shares_there(100)[1] == 100U);
    load.reweigh(1000000);
    BOOST_TEST(shares_there(100)[1] == 0U);
}

BOOST_AUTO_TEST_CASE(prefer_current_outside_of_the_pool_goes_by_load)
{
    const auto pool = make_pool(3, loops::prefer_current());
    const auto other = make_pool(3, loops::round_robin);
    const loops::lease heavy(pool->loop(0), 1);
    const auto check = [&] {
        const auto counted = shares(*pool, 300);
        BOOST_TEST(counted[0] == 0U);
        BOOST_TEST(counted[1] > 0U);
        BOOST_TEST(counted[2] > 0U);
    };
    check();
    on_loop(other->loop(2), check); // another pool's loops are not its own
    // A loop of the thread's own, inside of a handler of the pool's, leaves it where it is.
    on_loop(pool->loop(2), [&] {
        const auto inner = loops::new_event_loop();
        asio::post(*inner, [&] { BOOST_TEST(shares(*pool, 100)[2] == 100U); });
        inner->run();
    });
}

BOOST_AUTO_TEST_CASE(margins_are_checked)
{
    BOOST_TEST(loops::prefer_current_options().margin == 16);
    check_error([] { loops::prefer_current({-1}); }, invalid, "margin of -1");
    const auto pool =
        make_pool(2, loops::prefer_current({std::numeric_limits<std::int64_t>::max()}));
    const loops::lease heavy(pool->loop(0), std::numeric_limits<std::int64_t>::max());
    on_loop(pool->loop(0), [&] { BOOST_TEST(&pool->select_event_loop() == &pool->loop(0)); });
}

BOOST_AUTO_TEST_CASE(a_users_chooser_sees_the_statistics)
{
    struct seen
    {
        std::vector<std::int64_t> load;
        std::vector<std::int64_t> leases;
        std::vector<std::int64_t> tasks;
        std::vector<std::optional<unsigned>> cpu;
        std::size_t on_cpu = 0;
        std::size_t last_on_cpu = 0;
        std::size_t on_none = 0;
        std::optional<std::size_t> running;
    } last;
    const unsigned cpu = own_cpus()[0];
    loops::pool_options options;
    options.threads = own_cpus().size() + 1; // the last shares the first CPU with the first
    options.pin = loops::pinning::compact;
    options.chooser = [&](const pool_view& view, const selection& what) {
        last = {};
        for (std::size_t i = 0; i < view.size(); ++i)
        {
            last.load.push_back(view.load(i));
            last.leases.push_back(view.leases(i));
            last.tasks.push_back(view.tasks(i));
            last.cpu.push_back(view.cpu(i));
        }
        last.on_cpu = view.count_on(cpu);
        last.last_on_cpu = view.on(cpu, 1);
        last.on_none = view.count_on(cpu + 100000);
        last.running = view.running();
        return static_cast<std::size_t>(what.key.value_or(0));
    };
    const std::size_t end = options.threads - 1;
    const auto pool = std::make_shared<pool_policy>(options);
    const loops::lease held(pool->loop(end), 3);
    std::function<void()> finish;
    test::latch spawned;
    on_loop(pool->loop(end), [&] {
        loops::spawn(
            pool->loop(end).get_executor(),
            [&](auto done) {
                const auto kept = std::make_shared<decltype(done)>(std::move(done));
                finish = [kept] { std::move (*kept)(); };
            },
            asio::detached);
        asio::post(pool->loop(end), [&] { spawned.count_down(); });
    });
    BOOST_REQUIRE(spawned.wait());
    BOOST_TEST(&pool->select_event_loop(with_key(end)) == &pool->loop(end));
    BOOST_TEST(last.load[end] == 4);
    BOOST_TEST(last.leases[end] == 3);
    BOOST_TEST(last.tasks[end] == 1);
    BOOST_TEST(last.load[0] == 0);
    BOOST_TEST((last.cpu[0] == cpu));
    BOOST_TEST((last.cpu[end] == cpu));
    BOOST_TEST(last.on_cpu == 2U);
    BOOST_TEST(last.last_on_cpu == end);
    BOOST_TEST(last.on_none == 0U);
    BOOST_TEST(!last.running);
    on_loop(pool->loop(end), [&] {
        pool->select_event_loop();
        BOOST_TEST((last.running == end));
        if (finish)
            finish();
    });
}

BOOST_AUTO_TEST_CASE(a_forked_child_has_no_place_in_its_parents_pool)
{
    const auto pool = make_pool(2, [](const pool_view& view, const selection&) {
        return view.running() ? std::size_t(1) : std::size_t(0);
    });
    int code = -1;
    bool inside = false;
    on_loop(pool->loop(1), [&] {
        inside = &pool->select_event_loop() == &pool->loop(1);
        code = test::in_forked_child(
            [&] { return &pool->select_event_loop() == &pool->loop(0) ? 0 : 1; });
    });
    BOOST_TEST(inside);
    BOOST_TEST(code == 0);
}

BOOST_AUTO_TEST_CASE(indices_of_no_loop_and_exceptions_leave_the_pool_as_it_was)
{
    std::size_t answer = 0;
    const auto pool = make_pool(2, chooser("odd", [&](const pool_view& view, const selection&) {
        if (answer == 7)
            throw std::runtime_error("odd");
        return answer == 8 ? view.size() : answer;
    }));
    BOOST_TEST(&pool->select_event_loop() == &pool->loop(0));
    for (const std::size_t wrong :
        {std::size_t(2), std::numeric_limits<std::size_t>::max(), std::size_t(8)})
    {
        answer = wrong;
        check_error([&] { pool->select_event_loop(); }, invalid, "chooser 'odd'");
        check_error([&] { const auto lease = pool->acquire(); }, invalid, "a pool that has 2");
        loops::error_code ec;
        const loops::policy_scope scope(pool);
        BOOST_TEST(loops::try_select_event_loop({}, ec) == nullptr);
        BOOST_TEST((ec == invalid));
    }
    answer = 7;
    BOOST_CHECK_THROW(pool->select_event_loop(), std::runtime_error);
    BOOST_CHECK_THROW(const auto lease = pool->acquire(), std::runtime_error);
    answer = 1;
    BOOST_TEST(&pool->select_event_loop() == &pool->loop(1));
    BOOST_TEST(loops::load_of(pool->loop(0)) == 0);
    BOOST_TEST(loops::load_of(pool->loop(1)) == 0);
}

BOOST_AUTO_TEST_CASE(empty_callables_are_refused)
{
    std::size_t (*const null)(const pool_view&, const selection&) = nullptr;
    check_error([&] { pool_policy(2, null); }, invalid, "no chooser");
    check_error([] { pool_policy(2, chooser::function()); }, invalid, "no chooser");
    BOOST_TEST(!chooser("none", nullptr));
}

BOOST_AUTO_TEST_CASE(a_loop_that_was_closed_is_no_answer)
{
    const auto pool = make_pool(2, loops::by_cpu);
    auto& going = static_cast<loops::event_loop&>(pool->loop(1));
    going.stop();
    BOOST_REQUIRE(test::eventually([&] {
        return !test::error_of([&] { going.close(); }); // its thread has left it
    }));
    check_error([&] { pool->select_event_loop(with_cpu(1)); }, invalid, "open ones");
    BOOST_TEST(&pool->select_event_loop(with_cpu(0)) == &pool->loop(0));
}

BOOST_AUTO_TEST_CASE(all_may_be_called_by_many_threads)
{
    for (const named& each : all_choosers)
    {
        const auto pool = make_pool(3, each.make());
        std::atomic<int> wrong{0};
        test::latch done(3);
        const auto work = [&](unsigned number) {
            std::vector<loops::lease> held;
            for (unsigned i = 0; i < 1000; ++i)
            {
                selection what;
                if (i % 3 != 0)
                    what.key = i * 17 + number;
                if (i % 2 != 0)
                    what.cpu = i % 8;
                held.push_back(pool->acquire(what, i % 5));
                if (index_of(*pool, held.back().get_event_loop()) == pool->size())
                    ++wrong;
                if (held.size() > 20)
                    held.erase(held.begin(), held.begin() + 15);
            }
        };
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < 3; ++i)
        {
            threads.emplace_back(work, i);
            asio::post(pool->loop(i), [&, i] {
                work(100 + i);
                done.count_down();
            });
        }
        // Starts again, which looks at where the threads are bound, while others choose.
        for (int i = 0; i < 20; ++i)
            pool->start();
        for (auto& thread : threads)
            thread.join();
        BOOST_TEST(done.wait());
        BOOST_TEST(wrong == 0);
        for (std::size_t i = 0; i < pool->size(); ++i)
            BOOST_TEST(loops::load_of(pool->loop(i)) == 0);
    }
}
