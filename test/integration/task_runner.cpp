// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE task_runner

#include <loops/process/cgroup_scope.hpp>

#include "integration/example_run.hpp"
#include "support/arguments.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <pty.h>
#include <sys/prctl.h>

using namespace test;

// The task runner from outside. What it leaves behind would become a child of this process.

namespace {

struct subreaper
{
    subreaper() { require(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "prctl"); }
};
BOOST_TEST_GLOBAL_FIXTURE(subreaper);

// What a task left became ours, and is dead: the ledger, and that nothing but dead children is left.
struct leaves_nothing
{
    const child_ledger ledger;

    ~leaves_nothing()
    {
        BOOST_TEST(eventually([] {
            while (::waitpid(-1, nullptr, WNOHANG) > 0)
            {}
            return ::waitpid(-1, nullptr, WNOHANG) < 0;
        }));
    }
};

// A file of tasks, while it lives.
class task_file
{
public:
    explicit task_file(const std::string& text)
    {
        require(::close(::mkstemp(name_.data())) == 0, "mkstemp");
        std::ofstream(name_) << text;
    }
    task_file(const task_file&) = delete;
    task_file& operator=(const task_file&) = delete;
    ~task_file() { std::filesystem::remove(name_); }

    const std::string& name() const noexcept { return name_; }

private:
    std::string name_ = (std::filesystem::temp_directory_path() / "loops-tasks-XXXXXX").string();
};

loops::command runner(std::vector<std::string> arguments)
{
    return loops::command(helper_path("task_runner"), std::move(arguments));
}

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_CASE(tells_how_each_ended)
{
    const leaves_nothing ledger;
    const task_file tasks("# a comment\n"
                          "echo first; echo second >&2\n"
                          "\n"
                          "  exit 3\n"
                          "kill -9 $$\n");
    example_run it(runner({"-j", "2", tasks.name()}));
    const std::string text = it.output();
    BOOST_TEST(it.code() == 1);
    BOOST_TEST_CONTEXT(text)
    {
        BOOST_TEST(has(text, "[1] first\n"));
        BOOST_TEST(has(text, "[1] second\n"));
        BOOST_TEST(has(text, "[1] ok, "));
        BOOST_TEST(has(text, "[2] exit 3, "));
        BOOST_TEST(has(text, "[3] signal 9, "));
        BOOST_TEST(has(text, "1 succeeded, 2 did not\n"));
        BOOST_TEST(!has(text, "comment"));
    }
}

BOOST_AUTO_TEST_CASE(one_that_takes_too_long)
{
    const leaves_nothing ledger;
    const task_file tasks("sleep 1000\n");
    example_run it(runner({"--timeout", "0.01", tasks.name()}));
    const std::string text = it.output();
    BOOST_TEST(it.code() == 1);
    BOOST_TEST(has(text, "[1] timeout, "), text);
}

// Each task writes down that it has begun and ended: at no time more than three are between that.
BOOST_AUTO_TEST_CASE(so_many_at_a_time)
{
    const leaves_nothing ledger;
    const task_file log("");
    std::string lines;
    for (int i = 0; i != 12; ++i)
        lines += "echo + >> " + log.name() + "; sleep 0.02; echo - >> " + log.name() + "\n";
    const task_file tasks(lines);
    example_run it(runner({"-j3", tasks.name()}));
    it.output();
    BOOST_TEST(it.code() == 0);
    std::ifstream file(log.name());
    int running = 0;
    int most = 0;
    int ended = 0;
    for (std::string each; std::getline(file, each);)
    {
        running += each == "+" ? 1 : -1;
        ended += each == "-" ? 1 : 0;
        most = std::max(most, running);
    }
    BOOST_TEST(most <= 3);
    BOOST_TEST(ended == 12);
}

// What has left the group and the session of its task, too, where there are cgroups.
BOOST_AUTO_TEST_CASE(an_interrupt_leaves_nothing)
{
    const bool has_cgroups = !loops::cgroup_scope::why_unsupported();
    const std::string leave = has_cgroups ? "setsid " : "";
    const leaves_nothing ledger;
    const task_file tasks(
        leave + "sleep 1000 & echo started; wait\n" + "sleep 1000\n" + "echo never\n");
    example_run it(runner({"-j", "2", tasks.name()}));
    it.until("started");
    it.signal(SIGINT);
    const std::string text = it.output();
    BOOST_TEST(it.code() == 130);
    BOOST_TEST(has(text, "[1] stopped"), text);
    BOOST_TEST(has(text, "not started"), text);
    BOOST_TEST(!has(text, "] never"), text);
}

BOOST_AUTO_TEST_CASE(the_first_failure_can_end_all)
{
    const leaves_nothing ledger;
    const task_file tasks("sleep 1000\nfalse\necho never\n");
    example_run it(runner({"-j2", "--fail-fast", tasks.name()}));
    const std::string text = it.output();
    BOOST_TEST(it.code() == 1);
    BOOST_TEST(has(text, "[1] stopped"), text);
    BOOST_TEST(has(text, "[2] exit 1"), text);
    BOOST_TEST(!has(text, "] never"), text);
}

BOOST_AUTO_TEST_CASE(bad_options)
{
    const auto refused = [](std::vector<std::string> arguments, const std::string& word) {
        example_run it(runner(std::move(arguments)));
        const std::string text = it.output();
        BOOST_TEST(it.code() == 2);
        BOOST_TEST(has(text, word), text);
        BOOST_TEST(std::count(text.begin(), text.end(), '\n') == 1);
    };
    refused({}, "--help");
    refused({"/nonexistent/tasks"}, "/nonexistent/tasks");
    refused({"-j0", "x"}, "--jobs");
    refused({"-jx", "x"}, "jobs");
    refused({"--timeout", "-1", "x"}, "--timeout");
    refused({"--colour", "x"}, "--colour");
}

// On a terminal there is a line that tells how far it is, no longer than the terminal is wide.
BOOST_AUTO_TEST_CASE(live_on_a_terminal)
{
    const leaves_nothing ledger;
    int master = -1;
    int slave = -1;
    ::winsize size{24, 40, 0, 0};
    require(::openpty(&master, &slave, nullptr, nullptr, &size) == 0, "openpty");
    const task_file tasks("sleep 0.3 # " + std::string(100, 'x') + "\nfalse\n");
    loops::command what = runner({"-j1", tasks.name()});
    what.descriptors = {{0, loops::command::null_device}, {1, slave}, {2, slave}};
    {
        const loops::started_process it = loops::start_process(what);
        ::close(slave);
        std::string text;
        char data[4096];
        for (ssize_t read = 0; (read = ::read(master, data, sizeof data)) > 0;)
            text.append(data, static_cast<std::size_t>(read));
        int status = 0;
        BOOST_TEST(::waitpid(it.id(), &status, 0) == it.id());
        BOOST_TEST(WEXITSTATUS(status) == 1);
        BOOST_TEST(has(text, "\r\033[K0 of 2, 0 failed, 1 running: sleep"), text);
        BOOST_TEST(has(text, "\r\033[K1 of 2, 0 failed, 1 running: false"), text);
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line, '\r');)
        {
            if (has(line, " running: "))
                BOOST_TEST(line.size() <= 3U + 39U); // \033[K
        }
    }
    ::close(master);
}
