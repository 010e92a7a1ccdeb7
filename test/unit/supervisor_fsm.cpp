// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE supervisor_fsm

#include <loops/detail/supervisor_fsm.hpp>

#include <boost/asio/error.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

using loops::readiness;
using loops::restart_policy;
using loops::worker_state;
using loops::detail::supervisor_fsm;
using namespace std::chrono_literals;

// What a supervisor decides, without a process or a clock.

namespace {

using kind = supervisor_fsm::action_kind;

loops::child_exit exit_with(int code)
{
    return loops::child_exit(1, code << 8);
}

struct machine
{
    loops::supervisor_options options;
    supervisor_fsm::time_point now{};
    double random = 0;
    std::optional<supervisor_fsm> fsm;
    std::vector<supervisor_fsm::action> done;
    int pid = 100;

    machine() { options.ready = readiness::descriptor; }

    void run(std::size_t workers)
    {
        fsm.emplace(options, workers, [this] { return random; });
        fsm->run();
        take();
    }

    void take()
    {
        for (const auto& each : fsm->take_actions())
            done.push_back(each);
    }

    // The actions of that kind, taken.
    std::vector<supervisor_fsm::action> taken(kind what)
    {
        take();
        std::vector<supervisor_fsm::action> of_it;
        std::copy_if(done.begin(), done.end(), std::back_inserter(of_it),
            [what](const auto& each) { return each.kind == what; });
        done.erase(std::remove_if(done.begin(), done.end(),
                       [what](const auto& each) { return each.kind == what; }),
            done.end());
        return of_it;
    }

    std::vector<std::size_t> workers(kind what)
    {
        std::vector<std::size_t> all;
        for (const auto& each : taken(what))
            all.push_back(each.worker);
        return all;
    }

    // The one process that is to be started.
    std::uint64_t start(std::size_t worker)
    {
        const auto starts = taken(kind::start);
        BOOST_REQUIRE(starts.size() == 1U);
        BOOST_REQUIRE(starts[0].worker == worker);
        fsm->started(starts[0].process, ++pid, now);
        return starts[0].process;
    }

    std::vector<std::uint64_t> start_all()
    {
        std::vector<std::uint64_t> all;
        for (const auto& each : taken(kind::start))
        {
            fsm->started(each.process, ++pid, now);
            all.push_back(each.process);
        }
        return all;
    }

    // Runs that many, all of which are ready.
    std::vector<std::uint64_t> run_ready(std::size_t workers_)
    {
        run(workers_);
        const auto all = start_all();
        for (const std::uint64_t each : all)
            ready(each);
        return all;
    }

    void ready(std::uint64_t process) { fsm->became_ready(process, now); }
    void end(std::uint64_t process, int code = 0) { fsm->ended(process, exit_with(code), now); }

    // Goes to the time when something is due; how far that was.
    std::chrono::nanoseconds pass()
    {
        const auto at = fsm->deadline();
        BOOST_REQUIRE(at.has_value());
        const auto slept = *at - now;
        now = *at;
        fsm->time_passed(now);
        return slept;
    }

    worker_state state(std::size_t worker) const { return fsm->status(worker).state; }
};

using numbers = std::vector<std::size_t>;

} // namespace

BOOST_AUTO_TEST_CASE(starts_all_and_tells_when_they_are_ready)
{
    machine m;
    m.run(3);
    const auto all = m.start_all();
    BOOST_TEST(all.size() == 3U);
    BOOST_TEST((m.state(0) == worker_state::starting));
    m.ready(all[0]);
    m.ready(all[2]);
    BOOST_TEST(m.taken(kind::ready_ended).empty());
    m.ready(all[1]);
    BOOST_TEST(m.taken(kind::ready_ended).size() == 1U);
    BOOST_TEST((m.state(1) == worker_state::ready));
    BOOST_TEST(!m.fsm->is_idle());
}

BOOST_AUTO_TEST_CASE(backoff_grows_up_to_its_bound_and_is_forgotten)
{
    machine m;
    m.options.backoff = {100ms, 2, 500ms, 0, 1s};
    m.run(1);
    auto it = m.start(0);
    for (const auto expected : {100ms, 200ms, 400ms, 500ms, 500ms})
    {
        m.end(it, 1);
        BOOST_TEST((m.state(0) == worker_state::backing_off));
        BOOST_TEST(m.pass().count() == std::chrono::nanoseconds(expected).count());
        it = m.start(0);
    }
    m.now += 1s;
    m.end(it, 1);
    BOOST_TEST(m.pass().count() == 0);
    it = m.start(0);
    m.end(it, 1);
    BOOST_TEST((m.pass() == 100ms));
    BOOST_TEST(m.fsm->status(0).restarts == 7U);
    BOOST_TEST(m.fsm->status(0).failures == 7U);
    BOOST_TEST(m.fsm->status(0).starts == 8U);
}

BOOST_AUTO_TEST_CASE(jitter_makes_times_shorter)
{
    machine m;
    m.options.backoff = {100ms, 2, 500ms, 0.5, 1s};
    m.random = 0.5;
    m.run(1);
    m.end(m.start(0), 1);
    BOOST_TEST((m.pass() == 75ms));
}

BOOST_AUTO_TEST_CASE(restarts_by_policy)
{
    for (const auto policy :
        {restart_policy::always, restart_policy::on_failure, restart_policy::never})
    {
        for (const int code : {0, 1})
        {
            machine m;
            m.options.restart = policy;
            m.run(1);
            m.end(m.start(0), code);
            const bool again = policy == restart_policy::always ||
                               (policy == restart_policy::on_failure && code != 0);
            BOOST_TEST(m.fsm->deadline().has_value() == again);
            BOOST_TEST(m.fsm->is_idle() == !again);
            BOOST_TEST(m.taken(kind::run_ended).size() == (again ? 0U : 1U));
            BOOST_TEST(m.fsm->status(0).last_exit.exit_code() == code);
        }
    }
}

BOOST_AUTO_TEST_CASE(gives_up_after_too_many_restarts)
{
    machine m;
    m.options.most_restarts = 2;
    m.options.restart_window = 10s;
    m.options.backoff = {0s, 1, 0s, 0, 100s};
    m.run(2);
    auto all = m.start_all();
    for (int i = 0; i != 2; ++i)
    {
        m.end(all[0], 1);
        m.pass();
        all[0] = m.start(0);
    }
    m.end(all[0], 1);
    BOOST_TEST((m.workers(kind::stop) == numbers{1}));
    BOOST_TEST(m.taken(kind::run_ended).empty());
    m.end(all[1]);
    const auto ended = m.taken(kind::run_ended);
    BOOST_REQUIRE(ended.size() == 1U);
    BOOST_TEST((ended[0].ec == loops::error::restart_limit));
}

BOOST_AUTO_TEST_CASE(restarts_before_the_window_do_not_count)
{
    machine m;
    m.options.most_restarts = 2;
    m.options.restart_window = 10s;
    m.options.backoff = {6s, 1, 6s, 0, 100s};
    m.run(1);
    for (int i = 0; i != 10; ++i)
    {
        m.end(m.start(0), 1);
        m.pass();
    }
    BOOST_TEST(m.taken(kind::run_ended).empty());
}

// The processes that were to be started before are stopped all the same.
BOOST_AUTO_TEST_CASE(gives_up_amid_the_first_starts)
{
    machine m;
    m.options.most_restarts = 1;
    m.run(3);
    const auto starts = m.taken(kind::start);
    BOOST_REQUIRE(starts.size() == 3U);
    const auto ec = make_error_code(boost::asio::error::no_memory);
    m.fsm->not_started(starts[0].process, ec, m.now);
    m.fsm->not_started(starts[1].process, ec, m.now);
    BOOST_TEST((m.workers(kind::stop) == numbers{2}));
    m.fsm->started(starts[2].process, 7, m.now);
    BOOST_TEST(!m.fsm->deadline().has_value());
    m.ready(starts[2].process);
    BOOST_TEST((m.state(2) == worker_state::stopping));
    m.end(starts[2].process, 1);
    BOOST_TEST(m.taken(kind::run_ended).size() == 1U);
    BOOST_TEST(m.fsm->status(0).last_error == ec);
}

BOOST_AUTO_TEST_CASE(in_order_one_starts_after_the_other_and_they_stop_backwards)
{
    machine m;
    m.options.in_order = true;
    m.run(3);
    std::vector<std::uint64_t> all;
    for (std::size_t i = 0; i != 3; ++i)
    {
        all.push_back(m.start(i));
        m.ready(all[i]);
    }
    m.fsm->stop({});
    for (std::size_t i = 3; i-- > 0;)
    {
        BOOST_TEST((m.workers(kind::stop) == numbers{i}));
        BOOST_TEST(m.taken(kind::run_ended).empty());
        m.end(all[i]);
    }
    const auto ended = m.taken(kind::run_ended);
    BOOST_REQUIRE(ended.size() == 1U);
    BOOST_TEST(!ended[0].ec);
}

// It waits for one that has to be started again, not for one that has ended for good.
BOOST_AUTO_TEST_CASE(in_order_with_failures)
{
    machine m;
    m.options.in_order = true;
    m.options.restart = restart_policy::on_failure;
    m.run(3);
    m.end(m.start(0), 1);
    BOOST_TEST(m.taken(kind::start).empty());
    m.pass();
    m.end(m.start(0), 0);
    m.ready(m.start(1));
    const auto last = m.start(2);
    BOOST_TEST(m.taken(kind::ready_ended).empty());
    m.ready(last);
    BOOST_TEST(m.taken(kind::ready_ended).size() == 1U);
    BOOST_TEST((m.state(0) == worker_state::idle));
}

BOOST_AUTO_TEST_CASE(one_that_is_not_ready_in_time_is_stopped)
{
    machine m;
    m.options.ready_timeout = 5s;
    m.options.restart = restart_policy::on_failure;
    m.run(1);
    const auto it = m.start(0);
    BOOST_TEST((m.pass() == 5s));
    BOOST_TEST((m.workers(kind::stop) == numbers{0}));
    BOOST_TEST((m.state(0) == worker_state::stopping));
    m.ready(it); // too late
    BOOST_TEST((m.state(0) == worker_state::stopping));
    m.fsm->check_ready();
    BOOST_TEST(m.taken(kind::ready_ended).empty());
    m.end(it, 0);
    BOOST_TEST(m.fsm->status(0).failures == 1U);
    BOOST_TEST((m.state(0) == worker_state::backing_off));
}

BOOST_AUTO_TEST_CASE(one_that_gives_no_sign_of_life_is_stopped)
{
    machine m;
    m.options.ready = readiness::sd_notify;
    m.options.watchdog = 2s;
    m.options.ready_timeout = 0s;
    m.run(1);
    const auto it = m.start(0);
    BOOST_TEST(!m.fsm->deadline().has_value());
    m.ready(it);
    for (int i = 0; i != 3; ++i)
    {
        m.now += 1s;
        m.fsm->lives(it, m.now);
    }
    BOOST_TEST(m.taken(kind::stop).empty());
    BOOST_TEST((m.pass() == 2s));
    BOOST_TEST((m.workers(kind::stop) == numbers{0}));
    m.end(it, 0);
    BOOST_TEST(m.fsm->status(0).failures == 1U);
}

BOOST_AUTO_TEST_CASE(a_rolling_restart_with_overlap)
{
    machine m;
    const auto before = m.run_ready(2);
    m.fsm->restart();
    for (std::size_t i = 0; i != 2; ++i)
    {
        const auto next = m.start(i);
        BOOST_TEST(m.taken(kind::stop).empty());
        BOOST_TEST((m.state(i) == worker_state::ready));
        m.ready(next);
        const auto stops = m.taken(kind::stop);
        BOOST_REQUIRE(stops.size() == 1U);
        BOOST_TEST(stops[0].process == before[i]);
        BOOST_TEST(m.taken(kind::start).empty());
        m.end(before[i]);
    }
    const auto ended = m.taken(kind::restart_ended);
    BOOST_REQUIRE(ended.size() == 1U);
    BOOST_TEST(!ended[0].ec);
    BOOST_TEST(m.fsm->status(0).restarts == 0U);
    BOOST_TEST(m.fsm->status(0).failures == 0U);
}

BOOST_AUTO_TEST_CASE(a_rolling_restart_without_overlap)
{
    machine m;
    m.options.overlap = false;
    const auto before = m.run_ready(2);
    m.fsm->restart();
    for (std::size_t i = 0; i != 2; ++i)
    {
        BOOST_TEST((m.workers(kind::stop) == numbers{i}));
        BOOST_TEST(m.taken(kind::start).empty());
        m.end(before[i], 1);
        const auto next = m.start(i);
        BOOST_TEST(m.taken(kind::stop).empty());
        m.ready(next);
    }
    BOOST_TEST(m.taken(kind::restart_ended).size() == 1U);
    BOOST_TEST(m.fsm->status(0).failures == 0U);
}

BOOST_AUTO_TEST_CASE(a_rolling_restart_ends_at_a_process_that_fails)
{
    machine m;
    const auto before = m.run_ready(2);
    m.fsm->restart();
    m.end(m.start(0), 1);
    const auto ended = m.taken(kind::restart_ended);
    BOOST_REQUIRE(ended.size() == 1U);
    BOOST_TEST((ended[0].ec == loops::error::worker_failed));
    BOOST_TEST(m.taken(kind::stop).empty());
    BOOST_TEST(m.taken(kind::start).empty());
    BOOST_TEST((m.state(0) == worker_state::ready));
    BOOST_TEST(!m.fsm->deadline().has_value());
}

BOOST_AUTO_TEST_CASE(the_old_process_ends_during_its_replacement)
{
    machine m;
    m.run(1);
    const auto before = m.start(0);
    m.ready(before);
    m.fsm->restart();
    const auto next = m.start(0);
    m.end(before, 1);
    BOOST_TEST((m.state(0) == worker_state::starting));
    BOOST_TEST(!m.fsm->status(0).restarts);
    m.ready(next);
    const auto ended = m.taken(kind::restart_ended);
    BOOST_REQUIRE(ended.size() == 1U);
    BOOST_TEST(!ended[0].ec);
}

BOOST_AUTO_TEST_CASE(a_worker_that_waits_is_restarted_at_once)
{
    machine m;
    m.run(1);
    m.end(m.start(0), 1);
    m.fsm->restart();
    const auto next = m.start(0);
    m.ready(next);
    BOOST_TEST(m.taken(kind::restart_ended).size() == 1U);
    BOOST_TEST(!m.fsm->deadline().has_value());
}

BOOST_AUTO_TEST_CASE(restarts_follow_one_another)
{
    machine m;
    m.run(1);
    auto it = m.start(0);
    m.ready(it);
    m.fsm->restart();
    m.fsm->restart();
    m.fsm->restart(); // one more, not two
    for (int i = 0; i != 2; ++i)
    {
        const auto next = m.start(0);
        m.ready(next);
        m.end(it);
        it = next;
        BOOST_TEST(m.taken(kind::restart_ended).size() == 1U);
    }
    BOOST_TEST(m.taken(kind::start).empty());
}

BOOST_AUTO_TEST_CASE(a_restart_that_is_cancelled_ends_with_the_present_worker)
{
    machine m;
    const auto before = m.run_ready(2);
    m.fsm->restart();
    const auto next = m.start(0);
    m.fsm->cancel_restart();
    m.ready(next);
    BOOST_TEST((m.workers(kind::stop) == numbers{0}));
    m.end(before[0]);
    BOOST_TEST(m.taken(kind::start).empty());
    BOOST_TEST((m.state(0) == worker_state::ready));
    m.fsm->restart();
    const auto again = m.start(0);
    m.ready(again);
    m.end(next);
    m.start(1);
}

// Its old process has not ended yet when the next restart comes: that waits for it.
BOOST_AUTO_TEST_CASE(a_restart_waits_for_one_that_leaves)
{
    machine m;
    m.run(1);
    const auto first = m.start(0);
    m.ready(first);
    m.fsm->restart();
    auto present = m.start(0);
    m.ready(present);
    m.fsm->cancel_restart();
    BOOST_TEST(m.taken(kind::stop).size() == 1U);
    m.end(present, 1); // and the new one fails
    m.pass();
    present = m.start(0);
    m.ready(present);
    m.fsm->restart();
    BOOST_TEST(m.taken(kind::start).empty());
    m.fsm->kill({});
    const auto killed = m.taken(kind::kill);
    BOOST_TEST(killed.size() == 2U);
    m.end(present);
    BOOST_TEST(m.taken(kind::run_ended).empty());
    m.end(first);
    BOOST_TEST(m.taken(kind::run_ended).size() == 1U);

    m.run(1);
    const auto old = m.start(0);
    m.ready(old);
    m.fsm->restart();
    present = m.start(0);
    m.ready(present);
    m.fsm->cancel_restart();
    m.taken(kind::restart_ended);
    m.fsm->restart();
    BOOST_TEST(m.taken(kind::start).empty());
    m.end(old);
    const auto next = m.start(0);
    m.ready(next);
    m.end(present);
    BOOST_TEST(m.taken(kind::restart_ended).size() == 1U);
}

// The replacement that a cancelled restart left is not taken for this one's.
BOOST_AUTO_TEST_CASE(a_restart_after_a_cancelled_one_without_overlap)
{
    machine m;
    m.options.overlap = false;
    const auto before = m.run_ready(2);
    m.fsm->restart();
    m.end(before[0]);
    m.ready(m.start(0)); // and worker 1 is being stopped
    BOOST_TEST((m.workers(kind::stop) == numbers{0, 1}));
    m.fsm->cancel_restart();
    m.fsm->restart();
    BOOST_TEST((m.workers(kind::stop) == numbers{0}));
    m.end(before[1]);
    m.ready(m.start(1));
    BOOST_TEST(m.taken(kind::restart_ended).empty());
}

BOOST_AUTO_TEST_CASE(a_queued_restart_is_cancelled)
{
    machine m;
    m.run(1);
    const auto before = m.start(0);
    m.ready(before);
    m.fsm->restart();
    m.fsm->restart();
    m.fsm->cancel_next_restart();
    m.ready(m.start(0));
    m.end(before);
    BOOST_TEST(m.taken(kind::restart_ended).size() == 1U);
    BOOST_TEST(m.taken(kind::start).empty());
}

BOOST_AUTO_TEST_CASE(a_stop_ends_what_goes_on)
{
    machine m;
    m.run(3);
    const auto before = m.start_all();
    m.ready(before[0]);
    m.ready(before[1]);
    m.end(before[2], 1); // waits for its next process
    m.fsm->restart();
    const auto coming = m.start(0);
    m.fsm->stop({});
    const auto restart_ended = m.taken(kind::restart_ended);
    BOOST_REQUIRE(restart_ended.size() == 1U);
    BOOST_TEST((restart_ended[0].ec == boost::asio::error::operation_aborted));
    BOOST_TEST(m.taken(kind::stop).size() == 3U);
    BOOST_TEST(!m.fsm->deadline().has_value());
    BOOST_TEST((m.state(2) == worker_state::idle));
    m.end(before[0]);
    m.end(coming);
    BOOST_TEST(!m.fsm->is_idle());
    m.end(before[1]);
    BOOST_TEST(m.fsm->is_idle());
    BOOST_TEST(m.taken(kind::run_ended).size() == 1U);
    BOOST_TEST(m.taken(kind::start).empty());
}

BOOST_AUTO_TEST_CASE(a_kill_reaches_all)
{
    machine m;
    m.options.in_order = true;
    m.run(2);
    const auto first = m.start(0);
    m.ready(first);
    const auto second = m.start(1);
    m.fsm->kill({});
    BOOST_TEST((m.workers(kind::kill) == numbers{0, 1}));
    m.end(first, 1);
    m.end(second, 1);
    BOOST_TEST(m.fsm->is_idle());
    BOOST_TEST(m.fsm->status(0).failures == 0U);
}

BOOST_AUTO_TEST_CASE(no_worker_is_no_work)
{
    machine m;
    m.run(0);
    BOOST_TEST(m.fsm->is_idle());
    BOOST_TEST(m.taken(kind::run_ended).size() == 1U);
}

BOOST_AUTO_TEST_CASE(it_runs_again)
{
    machine m;
    m.options.restart = restart_policy::never;
    m.run(1);
    m.end(m.start(0), 3);
    BOOST_TEST(m.fsm->is_idle());
    m.fsm->run();
    const auto it = m.start(0);
    BOOST_TEST(m.fsm->status(0).starts == 1U);
    m.fsm->stop({});
    m.end(it);
    BOOST_TEST(m.taken(kind::run_ended).size() == 2U);
}

// What is said of a process that has gone, or never was, changes nothing.
BOOST_AUTO_TEST_CASE(news_of_strangers)
{
    machine m;
    m.run(1);
    const auto it = m.start(0);
    m.ready(77);
    m.end(77);
    m.fsm->lives(77, m.now);
    m.fsm->told(77, "x");
    m.fsm->not_started(77, {}, m.now);
    BOOST_TEST((m.state(0) == worker_state::starting));
    m.fsm->told(it, "busy");
    BOOST_TEST(m.fsm->status(0).text == "busy");
    m.ready(it);
    m.fsm->restart();
    const auto next = m.start(0);
    m.fsm->told(next, "new");
    BOOST_TEST(m.fsm->status(0).text == "busy");
    m.ready(next);
    m.end(it);
    BOOST_TEST(m.fsm->status(0).text == "new");
}
