// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE policy_parts
#include <loops/backend.hpp>
#include <loops/detail/fault.hpp>
#include <loops/error.hpp>
#include <loops/log.hpp>
#include <loops/make_policy.hpp>
#include <loops/policy/chooser.hpp>
#include <loops/policy/default_policy.hpp>
#include <loops/policy/pool_policy.hpp>
#include <loops/policy/shared_policy.hpp>
#include <loops/policy/threaded_policy.hpp>
#include <loops/run.hpp>

#include "support/error_check.hpp"
#include "support/forked.hpp"
#include "support/latch.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

namespace asio = boost::asio;
using loops::error;
using test::check_error;

namespace {

const auto invalid = make_error_code(boost::system::errc::invalid_argument);

std::size_t threads_of_process()
{
    std::size_t count = 0;
    test::eventually([&] {
        count = 0;
        FILE* const status = std::fopen("/proc/self/status", "r");
        char line[256];
        while (status != nullptr && std::fgets(line, sizeof line, status) != nullptr)
        {
            if (std::strncmp(line, "Threads:", 8) == 0)
                count = std::strtoul(line + 8, nullptr, 10);
        }
        if (status != nullptr)
            std::fclose(status);
        return count > 0;
    });
    return count;
}

// Lets `allowed` threads be made, and refuses the next as the system would.
std::atomic<int> allowed{0};

class few_threads
{
public:
    explicit few_threads(int count)
    {
        allowed = count;
        loops::detail::fault_hook = [](const char* call) {
            return std::strcmp(call, "thread") == 0 && --allowed < 0 ? EAGAIN : 0;
        };
    }
    few_threads(const few_threads&) = delete;
    few_threads& operator=(const few_threads&) = delete;
    ~few_threads() { loops::detail::fault_hook = nullptr; }
};

} // namespace

BOOST_AUTO_TEST_CASE(errors_have_names_texts_and_conditions)
{
    const loops::error_code code = error::not_a_child;
    BOOST_TEST(code.category().name() == "loops");
    BOOST_TEST((code == boost::system::errc::no_child_process));
    BOOST_TEST((loops::error_code(error::queue_full) ==
                boost::system::errc::resource_unavailable_try_again));
    BOOST_TEST((loops::error_code(error::backend_unavailable) ==
                boost::system::errc::operation_not_supported));
    for (int value = 1; value <= static_cast<int>(error::watcher_closed); ++value)
        BOOST_TEST(loops::loops_category().message(value) != "unknown loops error");
    BOOST_TEST(loops::loops_category().message(1000) == "unknown loops error");
}

BOOST_AUTO_TEST_CASE(the_backend_is_the_one_of_this_build)
{
#if defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
    BOOST_TEST(loops::to_string(loops::backend()) == "io_uring");
#elif defined(BOOST_ASIO_HAS_EPOLL)
    BOOST_TEST(loops::to_string(loops::backend()) == "epoll");
#else
    BOOST_TEST(loops::to_string(loops::backend()) == "select");
#endif
}

BOOST_AUTO_TEST_CASE(parallelism_honours_the_affinity_mask)
{
    const std::size_t before = loops::available_parallelism();
    BOOST_TEST(before >= 1U);
    std::size_t inside = 0;
    std::thread pinned([&] {
        cpu_set_t set;
        CPU_ZERO(&set);
        sched_getaffinity(0, sizeof set, &set);
        int first = 0;
        while (!CPU_ISSET(first, &set))
            ++first;
        CPU_ZERO(&set);
        CPU_SET(first, &set);
        sched_setaffinity(0, sizeof set, &set);
        inside = loops::available_parallelism();
    });
    pinned.join();
    BOOST_TEST(inside == 1U);
}

BOOST_AUTO_TEST_CASE(the_process_policy_is_made_once_and_replaced)
{
    const auto first = loops::get_event_loop_policy();
    BOOST_TEST((first != nullptr));
    BOOST_TEST(loops::get_event_loop_policy() == first);
    loops::set_event_loop_policy(nullptr);
    const auto fresh = loops::get_event_loop_policy();
    BOOST_TEST((fresh != nullptr));
    BOOST_TEST(fresh != first);
    BOOST_TEST(!first->is_closed());
    loops::set_event_loop_policy(fresh);
    BOOST_TEST(loops::get_event_loop_policy() == fresh);
    loops::set_event_loop_policy(first);
}

BOOST_AUTO_TEST_CASE(policies_are_replaced_while_threads_ask)
{
    const auto before = loops::get_event_loop_policy();
    std::atomic<bool> end{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
    {
        threads.emplace_back([&] {
            while (!end)
            {
                asio::io_context& loop = loops::get_event_loop();
                asio::post(loop, [] {});
                loops::run_loop(loop);
                loop.restart();
            }
        });
    }
    for (int i = 0; i < 50; ++i)
        loops::set_event_loop_policy(nullptr);
    end = true;
    for (auto& thread : threads)
        thread.join();
    loops::set_event_loop_policy(before);
}

BOOST_AUTO_TEST_CASE(user_owned_loops_are_adopted_run_and_destroyed_in_many_threads)
{
    // Threads share a policy of one slot, so that they see each other's loops come and go.
    const auto shared = std::make_shared<loops::shared_policy>(1);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
    {
        threads.emplace_back([&] {
            for (int round = 0; round < 100; ++round)
            {
                asio::io_context own;
                loops::set_event_loop(own);
                const loops::policy_scope scope(shared);
                loops::set_event_loop(own);
                bool ran = false;
                asio::post(own, [&] { ran = &loops::get_event_loop() == &own; });
                loops::run_loop(own);
                if (!ran)
                    std::abort();
                shared->existing_event_loop();
                loops::try_get_running_loop();
            }
            loops::error_code ec;
            if (loops::try_get_event_loop(ec) != nullptr || ec != error::no_current_event_loop)
                std::abort();
        });
    }
    for (auto& thread : threads)
        thread.join();
    BOOST_TEST(shared->existing_event_loop() == nullptr);
}

BOOST_AUTO_TEST_CASE(creation_says_where_loops_are_made)
{
    using loops::creation;
    const loops::policy_scope scope(std::make_shared<loops::default_policy>(creation::main_thread));
    loops::get_event_loop();
    std::thread other([policy = scope.policy()] {
        const loops::policy_scope inner(policy);
        check_error([] { loops::get_event_loop(); }, error::no_current_event_loop);
    });
    other.join();
    const loops::policy_scope never(std::make_shared<loops::default_policy>(creation::never));
    check_error([] { loops::get_event_loop(); }, error::no_current_event_loop, "'default'");
}

BOOST_AUTO_TEST_CASE(work_that_nobody_ran_is_reported)
{
    std::vector<std::string> said;
    const auto before =
        loops::set_log_hook([&](std::string_view text) { said.emplace_back(text); });
    std::thread([] { asio::post(loops::get_event_loop(), [] {}); }).join();
    std::thread([] {
        asio::post(loops::get_event_loop(), [] {});
        loops::run_loop(loops::get_event_loop());
    }).join();
    loops::set_log_hook(before);
    BOOST_REQUIRE(said.size() == 1U);
    BOOST_TEST(said[0].find("nobody ran") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(round_robin_takes_turns)
{
    const auto pool = std::make_shared<loops::pool_policy>(3);
    std::map<asio::io_context*, int> dealt;
    for (int i = 0; i < 9; ++i)
        ++dealt[&pool->select_event_loop()];
    BOOST_TEST(dealt.size() == 3U);
    for (const auto& [loop, count] : dealt)
        BOOST_TEST(count == 3);
    pool->close();
}

BOOST_AUTO_TEST_CASE(least_loaded_goes_by_leases)
{
    const auto pool = std::make_shared<loops::pool_policy>(2, loops::least_loaded);
    loops::lease heavy = pool->acquire({}, 10);
    std::vector<loops::lease> light;
    for (int i = 0; i < 5; ++i)
    {
        light.push_back(pool->acquire());
        BOOST_TEST(&light.back().get_event_loop() != &heavy.get_event_loop());
    }
    heavy.release();
    asio::io_context& freed = pool->select_event_loop();
    BOOST_TEST(&freed != &light[0].get_event_loop());
    light.clear();
    std::map<asio::io_context*, int> dealt;
    for (int i = 0; i < 10; ++i)
        ++dealt[&pool->select_event_loop()];
    BOOST_TEST(dealt.size() == 2U); // equal loops take turns
}

BOOST_AUTO_TEST_CASE(a_users_chooser_sees_load_and_selection_and_is_checked)
{
    std::size_t answer = 1;
    std::uint64_t key = 0;
    const auto pool = std::make_shared<loops::pool_policy>(
        2, [&](const loops::pool_view& view, const loops::selection& what) {
            key = what.key.value_or(0) + static_cast<std::uint64_t>(view.load(0));
            return answer;
        });
    loops::selection what;
    what.key = 7;
    BOOST_TEST(&pool->select_event_loop(what) == &pool->loop(1));
    BOOST_TEST(key == 7U);
    answer = 2;
    check_error([&] { pool->select_event_loop(); }, invalid, "loop 2");
    check_error([&] { pool->loop(2); }, invalid);
    answer = 0;
    BOOST_TEST(&pool->select_event_loop() == &pool->loop(0));
}

BOOST_AUTO_TEST_CASE(bad_pools_are_refused)
{
    check_error([] { loops::pool_policy(0); }, invalid, "no threads");
    check_error([] { loops::shared_policy(0); }, invalid, "no threads");
    loops::pool_options options;
    options.chooser = loops::chooser("none", nullptr);
    check_error([&] { loops::pool_policy pool(options); }, invalid, "no chooser");
}

BOOST_AUTO_TEST_CASE(pool_threads_have_names_places_and_hooks)
{
    loops::pool_options options;
    options.threads = 2;
    options.name = "web";
    options.pin = loops::pinning::spread;
    std::atomic<int> started{0};
    std::atomic<int> stopped{0};
    options.on_thread_start = [&](std::size_t) { ++started; };
    options.on_thread_stop = [&](std::size_t) { ++stopped; };
    const auto pool = std::make_shared<loops::pool_policy>(options);
    pool->start();
    pool->start();
    BOOST_TEST(started == 2);
    BOOST_TEST(pool->size() == 2U);
    test::latch looked;
    char name[16] = {};
    int cpus = 0;
    asio::post(pool->loop(1), [&] {
        pthread_getname_np(pthread_self(), name, sizeof name);
        cpu_set_t set;
        CPU_ZERO(&set);
        sched_getaffinity(0, sizeof set, &set);
        cpus = CPU_COUNT(&set);
        looked.count_down();
    });
    BOOST_TEST(looked.wait());
    BOOST_TEST(std::string(name) == "web-1");
    BOOST_TEST(cpus == 1);
    check_error([&] { pool->set_loop_factory({}); }, error::already_running);
    pool->close();
    BOOST_TEST(stopped == 2);
}

BOOST_AUTO_TEST_CASE(a_pool_that_cannot_start_leaves_nothing)
{
    const std::size_t before = threads_of_process();
    {
        const auto pool = std::make_shared<loops::pool_policy>(3);
        {
            const few_threads fault(2);
            check_error([&] { pool->start(); },
                loops::error_code(EAGAIN, boost::system::system_category()));
        }
        BOOST_TEST(threads_of_process() == before);
        pool->start(); // the state is what it was
    }
    {
        loops::pool_options options;
        options.threads = 2;
        options.on_thread_start = [](std::size_t i) {
            if (i == 1)
                throw std::runtime_error("hook");
        };
        const auto pool = std::make_shared<loops::pool_policy>(options);
        BOOST_CHECK_THROW(pool->start(), std::runtime_error);
        BOOST_TEST(threads_of_process() == before);
    }
    {
        const auto threaded = std::make_shared<loops::threaded_policy>();
        const few_threads fault(0);
        check_error([&] { threaded->get_event_loop(); },
            loops::error_code(EAGAIN, boost::system::system_category()));
        BOOST_TEST(threaded->existing_event_loop() == nullptr);
    }
}

BOOST_AUTO_TEST_CASE(drain_waits_for_work_that_loops_hand_to_each_other)
{
    const auto pool = std::make_shared<loops::pool_policy>(3);
    pool->start();
    constexpr int hops = 300;
    std::atomic<int> done{0};
    struct hopper
    {
        loops::pool_policy& pool;
        std::atomic<int>& done;
        int hop;
        void operator()() const
        {
            ++done;
            if (hop + 1 < hops)
            {
                asio::post(
                    pool.loop(static_cast<std::size_t>(hop) % 3), hopper{pool, done, hop + 1});
            }
        }
    };
    asio::post(pool->loop(0), hopper{*pool, done, 0});
    const auto report = pool->drain(test::patience);
    BOOST_TEST(report.complete);
    BOOST_TEST(report.loops.size() == 3U);
    BOOST_TEST(done == hops);
}

BOOST_AUTO_TEST_CASE(signals_drain_and_leave_their_dispositions)
{
    struct sigaction before = {};
    struct sigaction after = {};
    struct sigaction ours = {};
    ours.sa_handler = SIG_IGN;
    ::sigaction(SIGTERM, &ours, nullptr);
    ::sigaction(SIGTERM, nullptr, &before);
    for (const char* words : {"default", "shared:2", "threaded", "pool:2"})
    {
        const auto policy = loops::make_policy(words);
        policy->start();
        const loops::policy_scope scope(policy);
        asio::io_context& loop = policy->select_event_loop();
        std::atomic<bool> ended{false};
        asio::steady_timer timer(loop, std::chrono::milliseconds(30));
        timer.async_wait([&](const loops::error_code& ec) { ended = !ec; });
        // One that comes before the run has nothing to drain where the caller runs the loop.
        test::latch runs;
        asio::post(loop, [&] { runs.count_down(); });
        std::thread killer([&] {
            // Not to this thread: that would be news to it of what Asio's handler reads.
            sigset_t all;
            sigfillset(&all);
            pthread_sigmask(SIG_SETMASK, &all, nullptr);
            runs.wait();
            // The signal is ignored until somebody listens for it.
            test::eventually([] {
                struct sigaction now = {};
                ::sigaction(SIGTERM, nullptr, &now);
                return now.sa_handler != SIG_IGN;
            });
            ::kill(::getpid(), SIGTERM);
        });
        const auto report = policy->run_until_signal(test::patience);
        killer.join();
        BOOST_TEST(report.complete);
        BOOST_TEST(ended);
    }
    ::sigaction(SIGTERM, nullptr, &after);
    BOOST_TEST((after.sa_handler == before.sa_handler));
    ::signal(SIGTERM, SIG_DFL);
}
