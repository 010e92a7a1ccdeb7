// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "options.hpp"

#include <loops/backend.hpp>

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/variables_map.hpp>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <istream>
#include <ostream>

namespace task_runner {
namespace {

namespace po = boost::program_options;

po::options_description public_options()
{
    po::options_description all("Options");
    all.add_options()                     //
        ("help,h", "print this and exit") //
        ("jobs,j", po::value<int>()->value_name("N"),
            "how many tasks run at a time; without: as many as there are CPUs") //
        ("timeout", po::value<double>()->value_name("SECONDS"),
            "stop a task that takes longer") //
        ("fail-fast", po::bool_switch(), "stop all when one task fails");
    return all;
}

po::variables_map read(int argc, const char* const* argv)
{
    po::options_description all = public_options();
    all.add_options()("file", po::value<std::string>());
    po::positional_options_description file;
    file.add("file", 1);
    try
    {
        po::variables_map given;
        po::store(po::command_line_parser(argc, argv).options(all).positional(file).run(), given);
        po::notify(given);
        return given;
    }
    catch (const po::error& e)
    {
        throw usage_error(e.what());
    }
}

std::vector<std::string> read_tasks(std::istream& from)
{
    std::vector<std::string> all;
    for (std::string line; std::getline(from, line);)
    {
        const std::size_t begin = line.find_first_not_of(" \t");
        if (begin != std::string::npos && line[begin] != '#')
            all.push_back(line.substr(begin));
    }
    return all;
}

std::vector<std::string> read_tasks(const std::string& name)
{
    if (name == "-")
        return read_tasks(std::cin);
    std::ifstream file(name);
    if (!file)
        throw usage_error("reading '" + name + "': " + std::strerror(errno));
    return read_tasks(file);
}

} // namespace

options parse_options(int argc, const char* const* argv)
{
    const po::variables_map given = read(argc, argv);
    options made;
    made.help = given.count("help") != 0;
    if (made.help)
        return made;
    made.jobs = loops::available_parallelism();
    if (given.count("jobs") != 0)
    {
        const int jobs = given["jobs"].as<int>();
        if (jobs < 1)
            throw usage_error("option '--jobs': expected a number from 1 on");
        made.jobs = static_cast<std::size_t>(jobs);
    }
    if (given.count("timeout") != 0)
    {
        constexpr double most = 1e9;
        const double seconds = given["timeout"].as<double>();
        if (!(seconds > 0 && seconds <= most))
            throw usage_error("option '--timeout': expected seconds above 0");
        made.timeout = std::chrono::duration_cast<std::chrono::nanoseconds>(
            std::chrono::duration<double>(seconds));
    }
    made.fail_fast = given["fail-fast"].as<bool>();
    if (given.count("file") == 0)
        throw usage_error("expected a file of commands, or - for the standard input; see --help");
    made.tasks = read_tasks(given["file"].as<std::string>());
    return made;
}

void print_help(std::ostream& out)
{
    out << "Usage: task_runner [options] FILE\n\n"
           "Runs the commands of a file, one a line, some at a time. Lines that begin with # are\n"
           "skipped; FILE may be -. Ctrl-C stops all, and what they have started.\n\n"
        << public_options();
}

} // namespace task_runner
