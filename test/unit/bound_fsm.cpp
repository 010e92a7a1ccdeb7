// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE bound_fsm
#include <loops/detail/bound_fsm.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

BOOST_AUTO_TEST_CASE(the_decisions)
{
    using fsm = loops::detail::bound_fsm;
    using answer = fsm::answer;
    enum class act
    {
        come,
        come_at_once, // or not at all
        end,          // of a running task; nobody starts others yet
        start_one,    // by whoever starts them
        withdraw,
    };
    struct step
    {
        act what;
        std::optional<answer> came;
        std::size_t running;
        std::size_t waiting;
    };
    const auto start = answer::start;
    const auto wait = answer::wait;
    const auto refuse = answer::refuse;
    const std::vector<std::pair<const char*, std::vector<step>>> table{
        {"two run, two wait, others are refused",
            {{act::come, start, 1, 0}, {act::come, start, 2, 0}, {act::come, wait, 2, 1},
                {act::come, wait, 2, 2}, {act::come, refuse, 2, 2}}},
        {"an end lets one start and one more wait",
            {{act::come, start, 1, 0}, {act::come, start, 2, 0}, {act::come, wait, 2, 1},
                {act::end, {}, 1, 1}, {act::start_one, {}, 2, 0}, {act::come, wait, 2, 1},
                {act::come, wait, 2, 2}, {act::come, refuse, 2, 2}}},
        {"a withdrawal makes room for one that waits, not for one that runs",
            {{act::come, start, 1, 0}, {act::come, start, 2, 0}, {act::come, wait, 2, 1},
                {act::come, wait, 2, 2}, {act::withdraw, {}, 2, 1}, {act::come, wait, 2, 2},
                {act::come, refuse, 2, 2}}},
        {"who may not wait is refused only where no place is free",
            {{act::come_at_once, start, 1, 0}, {act::come_at_once, start, 2, 0},
                {act::come_at_once, refuse, 2, 0}, {act::come, wait, 2, 1}, {act::end, {}, 1, 1},
                {act::come_at_once, refuse, 1, 1}, {act::end, {}, 0, 1},
                {act::come_at_once, wait, 0, 2}, {act::start_one, {}, 1, 1},
                {act::start_one, {}, 2, 0}}},
        {"who comes while others are started starts behind them",
            {{act::come, start, 1, 0}, {act::come, start, 2, 0}, {act::come, wait, 2, 1},
                {act::end, {}, 1, 1}, {act::end, {}, 0, 1}, {act::come, wait, 0, 2},
                {act::come, wait, 0, 3}, {act::come, wait, 0, 4}, {act::come, refuse, 0, 4},
                {act::start_one, {}, 1, 3}, {act::start_one, {}, 2, 2}, {act::come, refuse, 2, 2}}},
    };
    for (const auto& [what, steps] : table)
    {
        BOOST_TEST_CONTEXT(what)
        {
            fsm bound(2, 2);
            for (const step& each : steps)
            {
                switch (each.what)
                {
                case act::come: BOOST_TEST((bound.arrive(true) == each.came)); break;
                case act::come_at_once: BOOST_TEST((bound.arrive(false) == each.came)); break;
                case act::end: bound.end(); break;
                case act::start_one: BOOST_TEST(bound.next()); break;
                case act::withdraw: bound.withdraw(); break;
                }
                BOOST_TEST(bound.running() == each.running);
                BOOST_TEST(bound.waiting() == each.waiting);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(one_starts_others_at_a_time)
{
    using answer = loops::detail::bound_fsm::answer;
    loops::detail::bound_fsm bound(1, 0);
    BOOST_TEST((bound.arrive(true) == answer::start));
    BOOST_TEST((bound.arrive(true) == answer::refuse));
    bound.end();
    BOOST_TEST(bound.begin_starting());
    BOOST_TEST(!bound.begin_starting());
    BOOST_TEST((bound.arrive(false) == answer::wait)); // for the turn of who starts them
    BOOST_TEST(bound.next());
    BOOST_TEST(!bound.next());
    BOOST_TEST(bound.begin_starting());
    bound.forget_starter();
    BOOST_TEST(bound.begin_starting());
}
