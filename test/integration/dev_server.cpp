// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#define BOOST_TEST_MODULE dev_server

#include "integration/example_run.hpp"
#include "support/arguments.hpp"
#include "support/folder.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <string>
#include <vector>

using namespace test;

// The development server from outside.

namespace {

loops::command server(std::vector<std::string> arguments)
{
    return loops::command(helper_path("dev_server"), std::move(arguments));
}

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

// A worker that prints what a file says, and stays.
std::vector<std::string> watching(const folder& in, const std::string& script)
{
    return {"--quiet", "10", "--watch", in.path().string(), "--", "/bin/sh", "-c", script, "sh",
        (in / "source").string()};
}

} // namespace

BOOST_AUTO_TEST_CASE(a_change_restarts_the_worker)
{
    const child_ledger ledger;
    const folder in;
    in.write("source", "one.");
    example_run it(server(watching(in, "cat \"$1\"; exec sleep 1000")));
    BOOST_TEST(has(it.until("one."), "one."));
    in.write("source", "two.");
    BOOST_TEST(has(it.until("two."), "two."));
    BOOST_TEST(has(it.until("source: written"), "source: written"));
    // As an editor does it, and in a folder that was not there before.
    in.write("source.tmp", "three.");
    in.rename("source.tmp", "source");
    BOOST_TEST(has(it.until("three."), "three."));
    in.make("sub/folder");
    BOOST_TEST(has(it.until("folder: created"), "folder: created"));
    in.write("sub/folder/other");
    BOOST_TEST(has(it.until("other: written"), "other: written"));
    it.signal(SIGTERM);
    BOOST_TEST(it.code() == 0);
    BOOST_TEST(!has(it.output(), "loops:")); // no loop had work left
}

BOOST_AUTO_TEST_CASE(what_is_hidden_does_not)
{
    const child_ledger ledger;
    const folder in;
    in.write("source", "begin.");
    example_run it(server(watching(in, "cat \"$1\"; exec sleep 1000")));
    BOOST_TEST(has(it.until("begin."), "begin."));
    BOOST_TEST(has(it.until(" runs\n"), " runs\n"));
    in.write(".source.swp");
    in.make(".git");
    in.write(".git/index");
    BOOST_TEST(it.is_quiet(std::chrono::milliseconds(200))); // many times what is waited for
    in.write("source", "end.");
    const std::string text = it.until("end.");
    BOOST_TEST(has(text, "end."));
    BOOST_TEST(!has(text, ".swp"));
    BOOST_TEST(!has(text, ".git"));
    it.signal(SIGINT);
    BOOST_TEST(it.code() == 0);
}

// It is what lies below the folder that counts.
BOOST_AUTO_TEST_CASE(a_hidden_folder_may_be_watched)
{
    const child_ledger ledger;
    const folder in;
    in.make(".hidden");
    example_run it(server({"--quiet", "10", "--watch", (in / ".hidden").string(), "--", "/bin/sh",
        "-c", "echo begin.; exec sleep 1000"}));
    BOOST_TEST(has(it.until("begin."), "begin."));
    in.write(".hidden/file");
    BOOST_TEST(has(it.until("file: written"), "file: written"));
    it.signal(SIGTERM);
    BOOST_TEST(it.code() == 0);
}

BOOST_AUTO_TEST_CASE(a_worker_that_grows_is_restarted)
{
    const child_ledger ledger;
    const folder in;
    // The first one keeps 100 MB; those after it are small.
    const std::string script = R"(test -e "$1" && exec sleep 1000
        : >"$1"
        x=0123456789
        while [ ${#x} -lt 100000000 ]; do x=$x$x; done
        sleep 1000 & wait)";
    example_run it(server({"--memory", "40", "--watch", in.path().string(), "--", "/bin/sh", "-c",
        script, "sh", (in / ".once").string()}));
    const std::string text = it.until(" MiB");
    BOOST_TEST(has(text, " MiB"), text);
    const auto count = [](const std::string& whole) {
        std::size_t runs = 0;
        for (std::size_t at = 0; (at = whole.find(" runs\n", at)) != std::string::npos; ++at)
            ++runs;
        return runs;
    };
    BOOST_TEST(eventually([&] { return count(it.until(" runs\n")) >= 2; }));
    it.signal(SIGTERM);
    BOOST_TEST(it.code() == 0);
}

BOOST_AUTO_TEST_CASE(a_worker_that_ends_is_started_again)
{
    const child_ledger ledger;
    const folder in;
    example_run it(server({"--watch", in.path().string(), "--", "/bin/sh", "-c",
        "test -e \"$1\" && exec sleep 1000; : >\"$1\"; exit 3", "sh", (in / ".once").string()}));
    BOOST_TEST(has(it.until("ended with 3"), "ended with 3"));
    BOOST_TEST(eventually([&] {
        const std::string text = it.until(" runs\n");
        return text.find(" runs\n", text.find("ended with 3")) != std::string::npos;
    }));
    it.signal(SIGTERM);
    BOOST_TEST(it.code() == 0);
}

BOOST_AUTO_TEST_CASE(command_lines)
{
    const child_ledger ledger;
    const auto ends = [](std::vector<std::string> arguments, int code, const std::string& says) {
        example_run it(server(std::move(arguments)));
        const std::string text = it.output();
        BOOST_TEST(it.code() == code);
        BOOST_TEST(has(text, says), text);
    };
    ends({"--help"}, 0, "Usage: dev_server");
    ends({}, 2, "expected -- and the command");
    ends({"--"}, 2, "expected -- and the command");
    ends({"true"}, 2, "after --");
    ends({"--memory", "0", "--", "true"}, 2, "--memory");
    ends({"--quiet", "-1", "--", "true"}, 2, "--quiet");
    ends({"--none"}, 2, "none");
    ends({"--watch", "/nowhere/none", "--", "true"}, 1, "/nowhere/none");
}
