// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE start_program

#include <loops/process/cgroup_scope.hpp>
#include <loops/process/start.hpp>

#include "support/arguments.hpp"
#include "support/child_processes.hpp"
#include "support/faults.hpp"
#include "support/forked.hpp"
#include "support/sanitizers.hpp"
#include "support/shortage.hpp"
#include "support/skipped.hpp"

#include <boost/system/errc.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace test;
using loops::command;

namespace {

// The ways to start there are: by a clone in the parent's memory, and where that is refused.
struct [[maybe_unused]] by_clone
{
    static constexpr bool is_posix = LOOPS_TEST_THREAD_SANITIZER;
};

struct by_posix_spawn // where it can do that, else by a copying clone
{
    static constexpr bool is_posix = true;
    const faults refused{{"clone", ENOSYS}};
};

using ways = std::tuple<by_clone, by_posix_spawn>;

std::string helper()
{
    return std::filesystem::absolute(helper_path("say_how_started"));
}

class pipe_ends
{
public:
    pipe_ends() { require(::pipe2(ends_.data(), O_CLOEXEC) == 0, "pipe2"); }
    pipe_ends(const pipe_ends&) = delete;
    pipe_ends& operator=(const pipe_ends&) = delete;
    ~pipe_ends()
    {
        close_write();
        ::close(ends_[0]);
    }

    int write_end() const { return ends_[1]; }

    void close_write()
    {
        if (ends_[1] >= 0)
            ::close(std::exchange(ends_[1], -1));
    }

    std::string read_all()
    {
        close_write();
        std::string text;
        std::array<char, 4096> some{};
        ssize_t size = 0;
        while ((size = ::read(ends_[0], some.data(), some.size())) > 0)
            text.append(some.data(), static_cast<std::size_t>(size));
        return text;
    }

private:
    std::array<int, 2> ends_{};
};

// What a process said of itself; the last value of each key, but for the environment.
struct report
{
    std::map<std::string, std::string> values;
    std::vector<std::string> environment;
    int status = -1;

    const std::string& operator[](const std::string& key) const { return values.at(key); }
};

report parse(const std::string& text)
{
    report it;
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    {
        const std::string line = text.substr(begin, end - begin);
        const auto sign = line.find('=');
        if (line.compare(0, sign, "environment") == 0)
            it.environment.push_back(line.substr(sign + 1));
        else
            it.values[line.substr(0, sign)] = line.substr(sign + 1);
    }
    return it;
}

// Starts it with its output to a pipe, and waits for its end.
report run(command what)
{
    pipe_ends output;
    what.descriptors[1] = output.write_end();
    const loops::started_process process = loops::start_process(what);
    report it = parse(output.read_all());
    int status = 0;
    require(::waitpid(process.id(), &status, 0) == process.id(), "waitpid");
    it.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return it;
}

std::atomic<int> child_signals{0};

class counted_child_signals
{
public:
    counted_child_signals()
    {
        child_signals = 0;
        struct sigaction count = {};
        count.sa_handler = [](int) { ++child_signals; };
        count.sa_flags = SA_RESTART;
        ::sigaction(SIGCHLD, &count, &before_);
    }
    counted_child_signals(const counted_child_signals&) = delete;
    counted_child_signals& operator=(const counted_child_signals&) = delete;
    ~counted_child_signals() { ::sigaction(SIGCHLD, &before_, nullptr); }

private:
    struct sigaction before_ = {};
};

// A file that is gone when this goes.
class brief_file
{
public:
    brief_file(const std::string& name, const std::string& text, mode_t mode)
        : path_(std::filesystem::temp_directory_path() / (name + std::to_string(::getpid())))
    {
        std::ofstream(path_) << text;
        ::chmod(path_.c_str(), mode);
    }
    brief_file(const brief_file&) = delete;
    brief_file& operator=(const brief_file&) = delete;
    ~brief_file() { std::filesystem::remove(path_); }

    std::string path() const { return path_; }

private:
    std::filesystem::path path_;
};

// What a refused start says; it leaves nothing.
template <class Way>
loops::error_code refusal(const command& what)
{
    const child_ledger ledger;
    const counted_child_signals counted;
    loops::error_code ec;
    const loops::started_process none = loops::start_process(what, ec);
    BOOST_TEST(none.id() == 0);
    BOOST_TEST(none.native_handle() == -1);
    BOOST_TEST((child_signals == 0 || Way::is_posix));
    return ec;
}

bool names(const loops::error_code& ec, const std::string& call)
{
    return ec.category() == loops::start_category() &&
           ec.message().compare(0, call.size(), call) == 0;
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(a_program_and_its_arguments, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    const report it = run({helper(), {"7", "two words", "", "\"*?$\\"}});
    BOOST_TEST(it.status == 7);
    BOOST_TEST(it["argument0"] == helper());
    BOOST_TEST(it["argument2"] == "two words");
    BOOST_TEST(it["argument3"].empty());
    BOOST_TEST(it["argument4"] == "\"*?$\\");
    BOOST_TEST(it.values.count("argument5") == 0U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(found_by_its_name, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    const std::string folder = std::filesystem::path(helper()).parent_path();
    const std::string before = std::getenv("PATH");
    ::setenv("PATH", ("/nonexistent:" + folder + ":" + before).c_str(), 1);
    const report it = run({"say_how_started", {"3"}});
    ::setenv("PATH", before.c_str(), 1);
    BOOST_TEST(it.status == 3);
    BOOST_TEST(it["argument0"] == "say_how_started");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_environment, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    command what(helper());
    const report inherited = run(what);
    std::size_t own = 0;
    while (environ[own] != nullptr)
        ++own;
    BOOST_TEST(inherited.environment.size() == own);
    what.environment = {"ONE=1", "EMPTY=", "TWO=a=b"};
    BOOST_TEST(run(what).environment == *what.environment, boost::test_tools::per_element());
    what.environment.emplace();
    BOOST_TEST(run(what).environment.empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(no_descriptors_but_those, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    // Not close-on-exec, and scattered.
    const int plain = ::open("/dev/null", O_RDONLY);
    const int high = ::fcntl(plain, F_DUPFD, 300);
    command what(helper());
    BOOST_TEST(run(what)["descriptors"] == "0 1 2");
    what.descriptors = {{0, command::null_device}, {5, plain}, {7, high}, {high, plain}};
    BOOST_TEST(run(what)["descriptors"] == "0 1 5 7 " + std::to_string(high));
    what.descriptors = {};
    BOOST_TEST(run(what)["descriptors"] == "1");
    ::close(plain);
    ::close(high);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(descriptors_that_change_places, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    pipe_ends first;
    pipe_ends second;
    // Debian's sh reads one digit only.
    command what("/bin/bash", {"-c", "echo first >&" + std::to_string(second.write_end()) +
                                         "; echo second >&" + std::to_string(first.write_end())});
    what.descriptors[second.write_end()] = first.write_end();
    what.descriptors[first.write_end()] = second.write_end();
    const auto process = loops::start_process(what);
    BOOST_TEST(first.read_all() == "first\n");
    BOOST_TEST(second.read_all() == "second\n");
    BOOST_TEST(::waitpid(process.id(), nullptr, 0) == process.id());
}

// What a daemon has closed is closed for its children, and no start fails for it.
BOOST_AUTO_TEST_CASE_TEMPLATE(closed_in_the_parent, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    const int code = in_forked_child([] {
        ::close(0);
        pipe_ends output; // which has 0 now
        command what(helper());
        what.descriptors = {{0, 99}, {1, output.write_end()}, {2, 2}};
        loops::error_code ec;
        loops::start_process(what, ec);
        if (ec != boost::system::errc::bad_file_descriptor)
            return 1;
        what.descriptors = {{1, output.write_end()}, {2, 2}, {98, 98}};
        const auto process = loops::start_process(what);
        const report it = parse(output.read_all());
        ::waitpid(process.id(), nullptr, 0);
        return it["descriptors"] == "1 2" ? 0 : 2;
    });
    BOOST_TEST(code == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(signals_are_as_a_program_expects_them, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    struct sigaction pipe_before = {};
    struct sigaction user_before = {};
    struct sigaction ignored = {};
    ignored.sa_handler = SIG_IGN;
    struct sigaction handled = {};
    handled.sa_handler = [](int) {};
    ::sigaction(SIGPIPE, &ignored, &pipe_before);
    ::sigaction(SIGUSR1, &handled, &user_before);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);
    const report it = run({helper()});
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::sigaction(SIGPIPE, &pipe_before, nullptr);
    ::sigaction(SIGUSR1, &user_before, nullptr);
    BOOST_TEST(std::stoull(it["SigBlk"], nullptr, 16) == 0U);
    // Those of the C library's threads are not for programs to have, and sanitizers take some.
    constexpr unsigned long long own =
        3ULL << 31 | 1ULL << (SIGSEGV - 1) | 1ULL << (SIGBUS - 1) | 1ULL << (SIGFPE - 1);
    BOOST_TEST((std::stoull(it["SigIgn"], nullptr, 16) & ~own) == 0U);
    BOOST_TEST((std::stoull(it["SigCgt"], nullptr, 16) & ~own) == 0U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_directory, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    command what(helper());
    BOOST_TEST(run(what)["directory"] == std::filesystem::current_path());
    what.directory = "/";
    BOOST_TEST(run(what)["directory"] == "/");
    // From there a relative path is taken.
    const std::filesystem::path path = helper();
    what.directory = path.parent_path();
    what.program = "./" + path.filename().string();
    BOOST_TEST(run(what)["directory"] == path.parent_path());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(group_and_session, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    command what(helper());
    BOOST_TEST(run(what)["group"] == std::to_string(::getpgrp()));
    what.process_group = 0;
    const report leader = run(what);
    BOOST_TEST(leader["group"] == leader["pid"]);
    BOOST_TEST(leader["session"] == std::to_string(::getsid(0)));
    const auto first = loops::start_process([] {
        command sleeps("/bin/sleep", {"60"});
        sleeps.process_group = 0;
        return sleeps;
    }());
    what.process_group = first.id();
    BOOST_TEST(run(what)["group"] == std::to_string(first.id()));
    first.signal(SIGKILL);
    ::waitpid(first.id(), nullptr, 0);
    what.process_group.reset();
    what.new_session = true;
    const report session = run(what);
    BOOST_TEST(session["session"] == session["pid"]);
    BOOST_TEST(session["group"] == session["pid"]);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(limits_and_umask, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    command what(helper());
    what.limits.push_back({RLIMIT_FSIZE, 4096, 8192});
    what.umask = 027;
    const report it = run(what);
    BOOST_TEST(it["file_size"] == "4096");
    BOOST_TEST(it["umask"] == std::to_string(027));
    BOOST_TEST(run({helper()})["file_size"] != "4096");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(another_user, Way, ways)
{
    if (::geteuid() != 0)
        return skipped("start_program/another_user", "not root");
    const child_ledger ledger;
    const Way way;
    command what(helper());
    what.user = loops::process_user{65534, 65533, {65532, 65531}};
    what.parent_death_signal = SIGTERM;
    const brief_file copy("say_how_started", "", 0755);
    std::filesystem::copy_file(
        helper(), copy.path(), std::filesystem::copy_options::overwrite_existing);
    what.program = copy.path();
    what.directory = "/";
    const report it = run(what);
    BOOST_TEST(it["user"] == "65534");
    BOOST_TEST(it["gid"] == "65533");
    BOOST_TEST(it["Groups"] == "65531 65532 ");
    BOOST_TEST(it["death"] == std::to_string(SIGTERM));
    BOOST_TEST(::getuid() == 0U);
    // Who has no right to become somebody else is told.
    BOOST_TEST(in_forked_child([&] {
        if (::setuid(65534) != 0)
            return 1;
        loops::error_code ec;
        loops::start_process(what, ec);
        return ec == boost::system::errc::operation_not_permitted && names(ec, "setgroups") ? 0 : 2;
    }) == 0);
}

// The signal follows the thread, not the process.
BOOST_AUTO_TEST_CASE_TEMPLATE(the_parents_death, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    command what("/bin/sleep", {"60"});
    what.parent_death_signal = SIGUSR1;
    loops::started_process process;
    std::thread([&] { process = loops::start_process(what); }).join();
    int status = 0;
    BOOST_TEST(::waitpid(process.id(), &status, 0) == process.id());
    BOOST_TEST((WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_cgroup, Way, ways)
{
    if (const auto why = loops::cgroup_scope::why_unsupported())
        return skipped("start_program/a_cgroup", *why);
    const Way way;
    command what(helper());
    {
        const loops::cgroup_scope scope;
        const child_ledger ledger;
        what.cgroup = scope.folder();
        const std::string name = scope.folder().substr(scope.folder().rfind('/'));
        BOOST_TEST(run(what)["cgroup"].find(name) != std::string::npos);
    }
    BOOST_TEST(names(refusal<Way>(what), "open"));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_cannot_be_started, Way, ways)
{
    const Way way;
    using namespace boost::system::errc;
    const char* const execve = Way::is_posix ? "posix_spawn" : "execve";
    BOOST_TEST(refusal<Way>({""}) == no_such_file_or_directory);
    BOOST_TEST(names(refusal<Way>({""}), "looking for the program"));
    for (const char* const missing : {"/nonexistent/program", "no-such-program", "/dev/null/x"})
    {
        const auto ec = refusal<Way>({missing});
        BOOST_TEST((ec == no_such_file_or_directory || ec == not_a_directory));
        BOOST_TEST(names(ec, execve));
    }
    const brief_file plain("loops-plain-", "#!/bin/sh\n", 0644);
    BOOST_TEST(refusal<Way>({plain.path()}) == permission_denied);
    BOOST_TEST(refusal<Way>({"/"}) == permission_denied);
    const brief_file text("loops-text-", "no program\n", 0755);
    BOOST_TEST(refusal<Way>({text.path()}) == executable_format_error);
    const brief_file script("loops-script-", "#!/nonexistent/interpreter\n", 0755);
    BOOST_TEST(refusal<Way>({script.path()}) == no_such_file_or_directory);
    const std::string much(std::size_t(256) * 1024, 'x'); // one text is 128 KiB at most
    BOOST_TEST(refusal<Way>({helper(), {much}}) == argument_list_too_long);
    command elsewhere(helper());
    elsewhere.directory = "/nonexistent";
    BOOST_TEST(refusal<Way>(elsewhere) == no_such_file_or_directory);
    BOOST_TEST(names(refusal<Way>(elsewhere), Way::is_posix ? "posix_spawn" : "chdir"));
    command group(helper());
    group.process_group = 1; // of another session
    BOOST_TEST(refusal<Way>(group));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_makes_no_sense, Way, ways)
{
    const Way way;
    using boost::system::errc::invalid_argument;
    BOOST_TEST(refusal<Way>({std::string("/bin/true\0x", 11)}) == invalid_argument);
    BOOST_TEST(refusal<Way>({"/bin/true", {std::string("a\0b", 3)}}) == invalid_argument);
    command what("/bin/true");
    what.descriptors[-1] = 0;
    BOOST_TEST(refusal<Way>(what) == invalid_argument);
    what.descriptors = {{0, -2}};
    BOOST_TEST(refusal<Way>(what) == invalid_argument);
    what.descriptors = {};
    what.process_group = -1;
    BOOST_TEST(refusal<Way>(what) == invalid_argument);
    what.process_group = 0;
    what.new_session = true;
    BOOST_TEST(refusal<Way>(what) == invalid_argument);
    what.process_group.reset();
    what.environment = {std::string("A=\0", 3)};
    BOOST_TEST(refusal<Way>(what) == invalid_argument);
    BOOST_CHECK_EXCEPTION(loops::start_process({"/nonexistent/program"}), loops::system_error,
        [](const loops::system_error& e) {
            return std::string(e.what()).find("starting '/nonexistent/program'") == 0;
        });
}

// The process limit, and a full table of descriptors.
BOOST_AUTO_TEST_CASE_TEMPLATE(shortages, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    BOOST_TEST(in_forked_child([] {
        if (!use_up_descriptors())
            return 1;
        loops::error_code ec;
        const auto process = loops::start_process({"/bin/true"}, ec);
        if (ec != boost::system::errc::too_many_files_open)
            return 2;
        if (!names(ec, Way::is_posix ? "fcntl" : "clone"))
            return 3;
        return ::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG | __WALL) < 0 ? 0 : 4;
    }) == 0);
    BOOST_TEST(in_forked_child([] {
        rlimit none{0, 0};
        if (::getuid() == 0 && ::setresuid(65534, 65534, 65534) != 0)
            return 1;
        ::setrlimit(RLIMIT_NPROC, &none);
        loops::error_code ec;
        loops::start_process({"/bin/true"}, ec);
        if (ec != boost::system::errc::resource_unavailable_try_again)
            return 2;
        return ::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG | __WALL) < 0 ? 0 : 3;
    }) == 0);
}

// With a large table it is shared with the child at first: nothing that the child does reaches it.
BOOST_AUTO_TEST_CASE_TEMPLATE(with_many_descriptors, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    std::vector<int> many;
    for (int i = 0; i < 500; ++i)
        many.push_back(::open("/dev/null", O_RDONLY));
    for (int round = 0; round < 3; ++round)
    {
        command what(helper());
        what.descriptors[4] = many[450];
        BOOST_TEST(run(what)["descriptors"] == "0 1 2 4");
        for (const int each : many)
            BOOST_TEST(::fcntl(each, F_GETFD) == 0);
        what.directory = "/nonexistent";
        BOOST_TEST(refusal<Way>(what) == boost::system::errc::no_such_file_or_directory);
        BOOST_TEST(std::all_of(
            many.begin(), many.end(), [](int each) { return ::fcntl(each, F_GETFD) == 0; }));
    }
    for (const int each : many)
        ::close(each);
}

// What other threads have open is in no child, close-on-exec or not.
BOOST_AUTO_TEST_CASE_TEMPLATE(from_many_threads, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    std::atomic<bool> over{false};
    std::thread opener([&] {
        while (!over)
            ::close(::open("/dev/null", O_RDONLY));
    });
    std::atomic<int> wrong{0};
    std::vector<std::thread> starters;
    for (int i = 0; i < 4; ++i)
        starters.emplace_back([&, i] {
            for (int round = 0; round < 20; ++round)
            {
                const report it = run({helper(), {std::to_string(i)}});
                wrong += it.status == i && it["descriptors"] == "0 1 2" ? 0 : 1;
            }
        });
    for (std::thread& each : starters)
        each.join();
    over = true;
    opener.join();
    BOOST_TEST(wrong == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(signals_reach_that_process_or_none, Way, ways)
{
    const child_ledger ledger;
    const Way way;
    const auto process = loops::start_process({"/bin/sleep", {"60"}});
    BOOST_TEST(process.native_handle() >= 0);
    process.signal(SIGTERM);
    int status = 0;
    BOOST_TEST(::waitpid(process.id(), &status, 0) == process.id());
    BOOST_TEST((WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM));
    loops::error_code ec;
    process.signal(SIGTERM, ec);
    BOOST_TEST(ec == boost::system::errc::no_such_process);
    loops::started_process().signal(SIGTERM, ec);
    BOOST_TEST(ec == boost::system::errc::no_such_process);
}
