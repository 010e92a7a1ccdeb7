// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE process_soak

#include <loops/process/start.hpp>
#include <loops/process/supervisor.hpp>

#include "support/arguments.hpp"
#include "support/child_watchers.hpp"
#include "support/sanitizers.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace test;
using namespace std::chrono_literals;

// Many processes, one after the other, some of which are killed at any moment: none is lost, nothing is left, and
// neither memory nor descriptors grow. LOOPS_SOAK says how many; without, it is short.

namespace {

std::size_t how_many()
{
    const char* const set = std::getenv("LOOPS_SOAK");
    return set != nullptr ? std::stoul(set) : rounds(1000);
}

std::size_t resident_kib(pid_t pid)
{
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    std::string word;
    std::size_t size = 0;
    while (file >> word)
    {
        if (word == "VmRSS:" && file >> size)
            return size;
    }
    return 0;
}

std::size_t descriptors_of(pid_t pid)
{
    std::size_t count = 0;
    std::error_code ignored;
    for (const auto& each :
        std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", ignored))
        count += each.path().empty() ? 0U : 1U;
    return count;
}

// What a process has, from when it is warm until its end.
struct growth
{
    std::size_t first_kib = 0;
    std::size_t most_kib = 0;
    std::size_t most_descriptors = 0;

    void look(pid_t pid)
    {
        const std::size_t now = resident_kib(pid);
        if (now == 0) // it has ended
            return;
        first_kib = first_kib == 0 ? now : first_kib;
        most_kib = std::max(most_kib, now);
        most_descriptors = std::max(most_descriptors, descriptors_of(pid));
    }

    void say(
        const char* whose, std::size_t processes, std::chrono::steady_clock::duration time) const
    {
        std::printf(
            "%s: %zu processes in %.1f s, resident %zu KiB, at most %zu KiB, %zu descriptors\n",
            whose, processes, std::chrono::duration<double>(time).count(), first_kib, most_kib,
            most_descriptors);
    }

    // A sanitizer keeps what was freed.
    void check(std::size_t most_open) const
    {
        constexpr std::size_t slack_kib = 4096;
        constexpr bool is_sanitized =
            LOOPS_TEST_ADDRESS_SANITIZER == 1 || LOOPS_TEST_THREAD_SANITIZER == 1;
        BOOST_TEST((is_sanitized || most_kib <= first_kib + slack_kib));
        BOOST_TEST(most_descriptors <= most_open);
    }
};

// Those with an even number end at once, with any code; the others live until somebody kills them.
loops::command soaked(std::size_t worker, unsigned code)
{
    loops::command what(helper_path("notify_and_wait"));
    what.descriptors = {{0, loops::command::null_device}, {2, 2}};
    if (worker % 2 == 0)
        what.arguments = {"exit=" + std::to_string(code % 3)};
    return what;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_supervisor)
{
    warm_up_background();
    const child_ledger ledger;
    constexpr std::size_t workers = 20;
    const std::size_t number = how_many();
    std::mt19937 random(4711);
    asio::io_context loop;
    const auto watcher = make_watcher();
    growth grown;
    std::size_t looks = 0;
    std::uint64_t killed = 0;
    std::uint64_t renewed = 0;
    std::vector<pid_t> seen(workers);
    loops::supervisor_options options;
    options.watcher = watcher;
    options.backoff = {0s, 1, 0s, 0, 0s};
    loops::supervisor* it = nullptr;
    const auto count = [&] {
        std::uint64_t starts = 0;
        for (const auto& each : it->status())
            starts += each.starts;
        return starts;
    };
    options.on_change = [&](std::size_t index) {
        const auto now = it->status(index);
        if (now.state != loops::worker_state::ready || now.pid == seen[index])
            return;
        seen[index] = now.pid;
        // It is our child, and not reaped: that is what this loop does.
        if (index % 2 == 1 && ::kill(now.pid, random() % 2 == 0 ? SIGKILL : SIGTERM) == 0)
            ++killed;
        if (++looks % 256 != 0)
            return;
        const auto starts = count();
        if (starts > number / 5)
            grown.look(::getpid());
        if (random() % 4 == 0)
            it->async_restart([&](loops::error_code ec) { renewed += ec ? 0U : 1U; });
        if (starts >= number)
            it->stop();
    };
    loops::supervisor one(
        loop, [&](std::size_t index) { return soaked(index, static_cast<unsigned>(random())); },
        workers, options);
    it = &one;
    int ended = 0;
    one.async_run([&](loops::error_code ec) {
        BOOST_TEST(!ec);
        ++ended;
    });
    const auto begin = std::chrono::steady_clock::now();
    loop.run();
    grown.say("supervisor", count(), std::chrono::steady_clock::now() - begin);
    std::printf("    %llu killed, %llu rolling restarts\n", static_cast<unsigned long long>(killed),
        static_cast<unsigned long long>(renewed));
    BOOST_TEST(ended == 1);
    BOOST_TEST(count() >= number);
    BOOST_TEST(killed > 0U);
    for (const auto& each : one.status())
        BOOST_TEST((each.state == loops::worker_state::idle));
    grown.check(workers * 4 + 40);
    watcher->close();
}

namespace {

// Kills one of the children of that process, unless it has become somebody else's number, or leads no group as
// tasks do: a leak checker's tracer is a child as well, and is waited for without end when it was killed.
bool kill_a_child_of(pid_t parent, std::mt19937& random)
{
    const std::string number = std::to_string(parent);
    std::ifstream children("/proc/" + number + "/task/" + number + "/children");
    std::vector<pid_t> all;
    for (pid_t each = 0; children >> each;)
        all.push_back(each);
    if (all.empty())
        return false;
    const pid_t one = all[random() % all.size()];
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, one, 0U));
    std::ifstream stat("/proc/" + std::to_string(one) + "/stat");
    std::string id, name, state;
    pid_t its_parent = 0;
    pid_t group = 0;
    stat >> id >> name >> state >> its_parent >> group;
    const bool done = pidfd >= 0 && its_parent == parent && group == one &&
                      ::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0U) == 0;
    if (pidfd >= 0)
        ::close(pidfd);
    return done;
}

struct tally_of_tasks
{
    std::size_t ended = 0;
    std::size_t killed = 0;
    std::string last;
};

// Of what the task runner prints, a line for each end.
tally_of_tasks read_ends(const std::string& name)
{
    tally_of_tasks made;
    std::ifstream file(name);
    for (std::string line; std::getline(file, line);)
    {
        if (line.empty())
            continue;
        made.ended += line[0] == '[' && line.find(" s: ") != std::string::npos ? 1U : 0U;
        made.killed += line[0] == '[' && line.find("] signal 9, ") != std::string::npos ? 1U : 0U;
        made.last = line;
    }
    return made;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_task_runner)
{
    const child_ledger ledger;
    const std::size_t number = how_many();
    const std::string folder =
        (std::filesystem::temp_directory_path() / ("loops-soak-" + std::to_string(::getpid())))
            .string();
    std::filesystem::create_directory(folder);
    {
        std::ofstream tasks(folder + "/tasks");
        for (std::size_t i = 0; i != number; ++i)
            tasks << "exit " << i % 3 << '\n';
    }
    const int out = ::open((folder + "/output").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    loops::command what(helper_path("task_runner"), {"-j", "8", folder + "/tasks"});
    what.descriptors = {{0, loops::command::null_device}, {1, out}, {2, 2}};
    what.parent_death_signal = SIGKILL;
    const auto begin = std::chrono::steady_clock::now();
    const loops::started_process runner = loops::start_process(what);
    ::close(out);
    std::mt19937 random(42);
    growth grown;
    std::size_t killed = 0;
    std::size_t looks = 0;
    int status = 0;
    while (::waitpid(runner.id(), &status, WNOHANG) == 0)
    {
        if (++looks % 8 == 0) // so that most of the tasks are not killed
            killed += kill_a_child_of(runner.id(), random) ? 1U : 0U;
        if (looks % 64 == 0)
            grown.look(runner.id());
        std::this_thread::sleep_for(1ms);
    }
    grown.say("task runner", number, std::chrono::steady_clock::now() - begin);
    BOOST_TEST(WIFEXITED(status));
    BOOST_TEST(WEXITSTATUS(status) == 1);
    const tally_of_tasks told = read_ends(folder + "/output");
    std::printf("    %zu signals sent, %zu tasks killed\n", killed, told.killed);
    BOOST_TEST(told.ended == number);
    BOOST_TEST(told.killed > 0U);
    BOOST_TEST(told.killed <= killed);
    BOOST_TEST(told.last.find(" succeeded, ") != std::string::npos, told.last);
    grown.check(200);
    std::filesystem::remove_all(folder);
}
