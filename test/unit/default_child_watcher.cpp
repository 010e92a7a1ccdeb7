// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE default_child_watcher

#include <loops/policy.hpp>
#include <loops/watcher/default_child_watcher.hpp>
#include <loops/watcher/pidfd_child_watcher.hpp>

#include "support/child_outcomes.hpp"
#include "support/child_watchers.hpp"
#include "support/error_check.hpp"
#include "support/faults.hpp"
#include "support/forked.hpp"
#include "support/seccomp.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

using namespace test;

// Which watcher is chosen, and what is said of it. What was found out is kept in the process: so
// each case is in one of its own, and nothing here may ask before.

namespace {

constexpr int fine = 0;
constexpr int wrong_watcher = 1;
constexpr int wrong_reason = 2;
constexpr int does_not_work = 3;
constexpr int same_watcher = 4;
constexpr int policy_has_another = 5;
constexpr int pidfd_is_wrong = 6;
constexpr int changed_its_mind = 7;
constexpr int not_to_be_had = 50;

bool has(const std::string& text, std::string_view word)
{
    return text.find(word) != std::string::npos;
}

// The chosen watcher has that name, its reason that word, and it and the policy's work.
int check_choice(std::string_view name, std::string_view word)
{
    ::alarm(60);
    const auto choice = loops::choose_child_watcher();
    if (choice.watcher->name() != name)
        return wrong_watcher;
    if (!has(choice.reason, word))
        return wrong_reason;
    const auto other = loops::default_child_watcher();
    if (other == choice.watcher || other->name() != name || !other->is_active())
        return same_watcher;
    const auto policys = loops::get_child_watcher();
    if (policys->name() != name)
        return policy_has_another;
    for (const auto& each : {choice.watcher, other, policys})
    {
        asio::io_context loop;
        by_callback way;
        const auto result = way.start(*each, loop, child_that_exits(6));
        run(loop, 1);
        if (!is_true(*result, 6))
            return does_not_work;
    }
    if (loops::pidfd_child_watcher::is_supported() != (name == "pidfd"))
        return pidfd_is_wrong;
    try
    {
        const loops::pidfd_child_watcher made;
        if (name != "pidfd")
            return pidfd_is_wrong;
    }
    catch (const loops::system_error& e)
    {
        const bool says_why = has(e.what(), word);
        if (name == "pidfd" || e.code() != boost::system::errc::operation_not_supported ||
            !says_why)
            return pidfd_is_wrong;
    }
    return fine;
}

} // namespace

BOOST_AUTO_TEST_CASE(nothing_is_refused)
{
    const child_ledger ledger;
    BOOST_TEST(in_forked_child([] { return check_choice("pidfd", "pidfd"); }) == fine);
}

BOOST_AUTO_TEST_CASE(by_the_environment)
{
    const child_ledger ledger;
    BOOST_TEST(in_forked_child([] {
        ::setenv("LOOPS_NO_PIDFD", "1", 1);
        const faults asked{{"pidfd_open", 0}, {"pidfd_send_signal", 0}, {"epoll_create1", 0}};
        const int wrong = check_choice("threaded", "LOOPS_NO_PIDFD");
        // It is not even tried.
        return wrong + 10 * faults::asked(0) + 10 * faults::asked(1);
    }) == fine);
    BOOST_TEST(in_forked_child([] {
        ::setenv("LOOPS_NO_PIDFD", "", 1);
        return check_choice("pidfd", "pidfd");
    }) == fine);
}

BOOST_AUTO_TEST_CASE(calls_that_are_refused)
{
    const child_ledger ledger;
    for (const auto& [call, code] : {std::pair("pidfd_open", ENOSYS),
             std::pair("pidfd_open", EPERM), std::pair("pidfd_open", EINVAL),
             std::pair("pidfd_send_signal", ENOSYS), std::pair("pidfd_send_signal", EPERM),
             std::pair("epoll_create1", EPERM), std::pair("epoll_ctl", EPERM)})
    {
        const int wrong = in_forked_child([call = call, code = code] {
            {
                const faults failing{{call, code}};
                if (const int met = check_choice("threaded", call))
                    return met;
                if (!has(loops::choose_child_watcher().reason, std::strerror(code)))
                    return wrong_reason;
            }
            // It was found out once.
            return loops::choose_child_watcher().watcher->name() == "threaded" ? fine
                                                                               : changed_its_mind;
        });
        BOOST_TEST(wrong == fine, call << ' ' << code << ": " << wrong);
    }
}

// A kernel that has pidfds, but cannot wait for them: Linux 5.3.
BOOST_AUTO_TEST_CASE(pidfds_that_cannot_be_waited_for)
{
    const child_ledger ledger;
    BOOST_TEST(in_forked_child([] {
        {
            const faults failing{{"waitid", EINVAL}};
            if (loops::choose_child_watcher().watcher->name() != "threaded")
                return wrong_watcher;
        }
        return check_choice("threaded", "waitid");
    }) == fine);
}

// What may be gone the next time says nothing about the kernel; and the watcher does without.
BOOST_AUTO_TEST_CASE(shortages)
{
    const child_ledger ledger;
    for (const auto& [call, code] :
        {std::pair("pidfd_open", EMFILE), std::pair("pidfd_open", ENFILE),
            std::pair("pidfd_open", ENOMEM), std::pair("epoll_create1", EMFILE),
            std::pair("epoll_ctl", ENOSPC), std::pair("epoll_ctl", ENOMEM)})
    {
        const int wrong = in_forked_child([call = call, code = code] {
            const faults failing{{call, code}};
            return check_choice("pidfd", "pidfd");
        });
        BOOST_TEST(wrong == fine, call << ' ' << code << ": " << wrong);
    }
}

// By the kernel.
BOOST_AUTO_TEST_CASE(refused_for_real)
{
    const child_ledger ledger;
    for (const int code : {ENOSYS, EPERM, EMFILE, ENFILE, ENOMEM})
    {
        const bool for_good = code == ENOSYS || code == EPERM;
        const int wrong = in_forked_child([&] {
            if (!refuse_system_call(pidfd_open_number, code))
                return not_to_be_had;
            return for_good ? check_choice("threaded", "pidfd_open")
                            : check_choice("pidfd", "pidfd");
        });
        if (wrong == not_to_be_had)
            return skipped("default_child_watcher/refused_for_real", "seccomp is not to be had");
        BOOST_TEST(wrong == fine, code << ": " << wrong);
    }
}

// A loop and other watchers were used before: nothing of that counts.
BOOST_AUTO_TEST_CASE(after_the_use_of_others)
{
    const child_ledger ledger;
    BOOST_TEST(in_forked_child([] {
        asio::io_context loop;
        loops::multi_loop_child_watcher looking;
        by_callback way;
        const auto result = way.start(looking, loop, child_that_exits(2));
        run(loop, 1);
        if (!is_true(*result, 2))
            return does_not_work;
        const faults failing{{"pidfd_open", ENOSYS}};
        return check_choice("threaded", "pidfd_open");
    }) == fine);
}
