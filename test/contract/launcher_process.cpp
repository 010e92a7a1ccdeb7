// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE launcher_process
#define LOOPS_WITH_BOOST_PROCESS_ENVIRONMENT

#include <loops/process/launcher.hpp>
#include <loops/watcher/default_child_watcher.hpp>

#include "support/arguments.hpp"
#include "support/child_processes.hpp"
#include "support/faults.hpp"

#include <boost/asio/connect_pipe.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/readable_pipe.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/writable_pipe.hpp>
#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

using namespace test;
namespace asio = boost::asio;
namespace v2 = boost::process::v2;

namespace {

struct [[maybe_unused]] by_clone
{};

struct by_copy
{
    const faults refused{{"clone", ENOSYS}};
};

using ways = std::tuple<by_clone, by_copy>;

const std::vector<std::string> none;

std::string helper()
{
    return std::filesystem::absolute(helper_path("say_how_started"));
}

// One of a user's own; bind_fd of Boost 1.81 returns nothing where it should.
struct bound
{
    int number;
    int fd;
    mutable int ended = 0;

    loops::error_code on_setup(
        v2::posix::default_launcher& with, const v2::filesystem::path&, const char* const*) const
    {
        with.fd_whitelist.push_back(number);
        return {};
    }

    loops::error_code on_exec_setup(
        v2::posix::default_launcher&, const v2::filesystem::path&, const char* const*) const
    {
        if (::dup2(fd, number) < 0)
            return {errno, boost::system::system_category()};
        return {};
    }

    void on_success(
        v2::posix::default_launcher&, const v2::filesystem::path&, const char* const*) const
    {
        ++ended;
    }
};

std::string read_all(asio::readable_pipe& from)
{
    std::string text;
    loops::error_code ec;
    asio::read(from, asio::dynamic_buffer(text), ec);
    return text;
}

bool says(const std::string& text, const std::string& line)
{
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(initializers_of_boost_process, Way, ways)
{
    asio::io_context loop;
    const asio::readable_pipe reactor(loop);
    {
        asio::readable_pipe warm(loop); // Asio's own descriptors
    }
    const child_ledger ledger;
    const Way way;
    asio::readable_pipe output(loop);
    loops::launcher launch;
    const bound extra{40, ::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    {
        const std::unordered_map<v2::environment::key, v2::environment::value> environment{
            {"ONLY", "this"}};
        v2::process child = launch(loop, helper(), std::vector<std::string>{"5", "an argument"},
            v2::process_stdio{nullptr, output, {}}, v2::process_environment(environment),
            v2::process_start_dir("/"), extra);
        const std::string said = read_all(output);
        BOOST_TEST(says(said, "argument2=an argument"), said);
        BOOST_TEST(says(said, "descriptors=0 1 2 40"), said);
        BOOST_TEST(says(said, "directory=/"), said);
        BOOST_TEST(says(said, "environment=ONLY=this"), said);
        BOOST_TEST(child.wait() == 5);
    }
    ::close(extra.fd);
    BOOST_TEST(extra.ended == 1);
    output.close();
}

// A large table is shared with the child at first where it is known what the child needs of it.
BOOST_AUTO_TEST_CASE_TEMPLATE(with_many_descriptors, Way, ways)
{
    asio::io_context loop;
    const asio::readable_pipe reactor(loop);
    {
        asio::readable_pipe warm(loop); // Asio's own descriptors
    }
    const child_ledger ledger;
    const Way way;
    asio::readable_pipe from_low(loop);
    asio::writable_pipe low(loop);
    asio::connect_pipe(from_low, low);
    std::vector<int> many;
    for (int i = 0; i < 500; ++i)
        many.push_back(::open("/dev/null", O_RDONLY));
    loops::launcher launch;
    const auto start = [&](auto&&... initializers) {
        const int code = launch(loop, helper(), std::vector<std::string>{"0"},
            std::forward<decltype(initializers)>(initializers)...)
                             .wait();
        BOOST_TEST(code == 0);
        for (const int each : many)
            BOOST_TEST(::fcntl(each, F_GETFD) == 0);
    };
    start(v2::process_stdio{nullptr, nullptr, nullptr});

    start(v2::process_stdio{{}, low, {}}, v2::process_start_dir("/"));
    low.close();
    const std::string below = read_all(from_low);
    BOOST_TEST(says(below, "descriptors=0 1 2"), below);
    BOOST_TEST(says(below, "directory=/"), below);

    asio::readable_pipe from_high(loop);
    start(v2::process_stdio{nullptr, from_high, nullptr}, bound{40, many.back()});
    const std::string above = read_all(from_high);
    BOOST_TEST(says(above, "descriptors=0 1 2 40"), above);
    for (const int each : many)
        ::close(each);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(waited_for_by_a_watcher, Way, ways)
{
    asio::io_context loop;
    const asio::readable_pipe reactor(loop);
    const child_ledger ledger;
    const Way way;
    const auto watcher = loops::default_child_watcher();
    loops::launcher launch;
    int codes = 0;
    // A launcher can be used again.
    for (const char* const code : {"3", "4"})
    {
        watcher->async_wait(launch(loop, helper(), std::vector<std::string>{code},
                                v2::process_stdio{nullptr, nullptr, nullptr}),
            asio::bind_executor(
                loop.get_executor(), [&](loops::error_code ec, const loops::child_exit& exit) {
                    codes += ec ? 100 : exit.exit_code();
                }));
    }
    loop.run();
    BOOST_TEST(codes == 7);
    watcher->close();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_cannot_be_started, Way, ways)
{
    asio::io_context loop;
    const asio::readable_pipe reactor(loop);
    const child_ledger ledger;
    const Way way;
    loops::launcher launch;
    loops::error_code ec;
    const v2::process refused = launch(loop, ec, "/nonexistent/program", none);
    BOOST_TEST(ec == boost::system::errc::no_such_file_or_directory);
    BOOST_TEST(ec.message() == "execve: No such file or directory");
    BOOST_TEST(!refused.is_open());
    BOOST_CHECK_THROW(
        launch(loop.get_executor(), "/nonexistent/program", none), loops::system_error);
    launch(loop.get_executor(), ec, "/bin/true", none, v2::process_start_dir("/nonexistent"));
    BOOST_TEST(ec == boost::system::errc::no_such_file_or_directory);
    BOOST_TEST(ec.message() == "an initializer: No such file or directory");
}
