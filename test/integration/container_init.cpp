// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE container_init

#include "integration/example_run.hpp"
#include "support/arguments.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <string>
#include <vector>

using namespace test;

// The init for containers from outside: as process 1 of a namespace of its own, and without one.

namespace {

loops::command init(const std::string& script)
{
    return loops::command(helper_path("container_init"), {"/bin/sh", "-c", script});
}

// util-linux's unshare makes the namespace, and is its init's parent.
loops::command in_namespace(const std::string& script)
{
    return loops::command("unshare", {"--pid", "--fork", "--kill-child", "--mount-proc",
                                         helper_path("container_init"), "/bin/sh", "-c", script});
}

bool is_impossible(const char* which)
{
    example_run tried(
        loops::command("unshare", {"--pid", "--fork", "--kill-child", "--mount-proc", "true"}));
    const std::string said = tried.output();
    const bool no = tried.code() != 0;
    if (no)
        skipped(which, "no namespace of processes can be made here: " + said);
    return no;
}

// The one child of a process.
pid_t child_of(pid_t pid)
{
    const std::string number = std::to_string(pid);
    pid_t child = 0;
    eventually([&] {
        std::ifstream("/proc/" + number + "/task/" + number + "/children") >> child;
        return child != 0;
    });
    return child;
}

} // namespace

BOOST_AUTO_TEST_CASE(ends_as_its_program)
{
    const child_ledger ledger;
    example_run with_code(init("exit 7"));
    BOOST_TEST(with_code.code() == 7);
    example_run by_signal(init("kill -9 $$"));
    BOOST_TEST(by_signal.code() == 128 + SIGKILL);
    example_run missing(loops::command(helper_path("container_init"), {"/nonexistent/program"}));
    BOOST_TEST(missing.output().find("/nonexistent/program") != std::string::npos);
    BOOST_TEST(missing.code() == 127);
    example_run no_program(loops::command(helper_path("container_init"), {"/etc/passwd"}));
    BOOST_TEST(no_program.code() == 126);
    example_run nothing(loops::command(helper_path("container_init")));
    BOOST_TEST(nothing.code() == 2);
}

BOOST_AUTO_TEST_CASE(is_process_1)
{
    if (is_impossible("container_init/is_process_1"))
        return;
    const child_ledger ledger;
    example_run it(in_namespace("echo parent $PPID; exit 9"));
    BOOST_TEST(it.output().find("parent 1\n") != std::string::npos);
    BOOST_TEST(it.code() == 9);
}

// A process 1 has no signal done to it that it does not handle.
BOOST_AUTO_TEST_CASE(hands_signals_on)
{
    if (is_impossible("container_init/hands_signals_on"))
        return;
    const child_ledger ledger;
    for (const auto& [signal, name] : std::vector<std::pair<int, std::string>>{
             {SIGTERM, "TERM"}, {SIGINT, "INT"}, {SIGHUP, "HUP"}, {SIGUSR1, "USR1"}})
    {
        example_run it(
            in_namespace("trap 'exit 42' " + name + "; echo ready; while :; do sleep 0.05; done"));
        it.until("ready");
        ::kill(child_of(it.pid()), signal);
        BOOST_TEST(it.code() == 42);
    }
}

// Each of those is left by its parent, and then ends. In the end there is no zombie in the namespace.
BOOST_AUTO_TEST_CASE(reaps_orphans)
{
    if (is_impossible("container_init/reaps_orphans"))
        return;
    const child_ledger ledger;
    example_run it(in_namespace("for i in 1 2 3 4 5 6 7 8 9 10; do"
                                "  (sleep 0.01 & sleep 0.02 & exit 0);"
                                "done;"
                                "tries=0;"
                                "until [ \"$(ls -d /proc/[0-9]* | wc -l)\" -le 5 ]; do"
                                "  tries=$((tries + 1)); [ $tries -lt 500 ] || exit 1; sleep 0.01;"
                                "done;"
                                "exit 3"));
    it.output();
    BOOST_TEST(it.code() == 3);
}

// And without a namespace it is the orphans' parent all the same.
BOOST_AUTO_TEST_CASE(is_a_subreaper)
{
    const child_ledger ledger;
    example_run it(init("(sh -c 'echo $$; exec sleep 1000' & exit 0); sleep 1000"));
    const pid_t orphan = std::stoi(it.until("\n"));
    const auto parent_of = [](pid_t pid) {
        std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
        std::string number, name, state;
        pid_t parent = 0;
        return file >> number >> name >> state >> parent ? parent : 0;
    };
    BOOST_TEST(eventually([&] { return parent_of(orphan) == it.pid(); }));
    ::kill(orphan, SIGKILL);
    BOOST_TEST(eventually([&] { return parent_of(orphan) == 0; })); // not even a zombie
    it.signal(SIGTERM);
    BOOST_TEST(it.code() == 128 + SIGTERM);
}
