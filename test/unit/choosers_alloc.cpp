// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE choosers_alloc
#include <loops/policy/chooser.hpp>
#include <loops/policy/pool_policy.hpp>

#include "support/alloc/counted.hpp"
#include "support/latch.hpp"
#include "support/skipped.hpp"

#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <memory>
#include <vector>

BOOST_AUTO_TEST_CASE(choosing_allocates_nothing)
{
    if (!test::counts_allocations())
        return test::skipped("choosers_alloc/choosing_allocates_nothing", "cannot count here");
    for (const loops::chooser& choose :
        std::vector<loops::chooser>{loops::round_robin, loops::least_loaded, loops::two_choices,
            loops::by_key, loops::by_cpu, loops::prefer_current({0})})
    {
        loops::pool_options options;
        options.threads = 4;
        options.pin = loops::pinning::spread;
        options.chooser = choose;
        const auto pool = std::make_shared<loops::pool_policy>(options);
        const loops::lease load(pool->loop(0), 10);
        // The first selection too: also of a thread that never drew a random number.
        const auto select = [&] {
            const std::size_t before = test::allocations();
            for (unsigned i = 0; i < 100; ++i)
            {
                loops::selection what;
                if (i % 2 == 0)
                    what.key = i;
                if (i % 3 == 0)
                    what.cpu = i;
                pool->select_event_loop(what);
            }
            return test::allocations() - before;
        };
        BOOST_TEST(select() == 0U);
        std::size_t inside = 1;
        test::latch done;
        boost::asio::post(pool->loop(0), [&] {
            inside = select();
            done.count_down();
        });
        BOOST_REQUIRE(done.wait());
        BOOST_TEST(inside == 0U);
    }
}
