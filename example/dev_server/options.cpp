// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "options.hpp"

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/variables_map.hpp>

#include <algorithm>
#include <ostream>
#include <string>

namespace dev_server {
namespace {

namespace po = boost::program_options;

po::options_description public_options()
{
    po::options_description all("Options");
    all.add_options()                     //
        ("help,h", "print this and exit") //
        ("watch,w", po::value<std::vector<std::string>>()->value_name("PATH"),
            "a file, or a folder with all that is below it; may be given several times; without: "
            "the present folder") //
        ("memory,m", po::value<std::uint64_t>()->value_name("MIB"),
            "restart the worker when it has more resident memory than that") //
        ("quiet,q", po::value<int>()->value_name("MS")->default_value(100),
            "how long nothing must change before the worker is restarted");
    return all;
}

po::variables_map read(int argc, const char* const* argv)
{
    try
    {
        po::variables_map given;
        const po::positional_options_description none;
        po::store(
            po::command_line_parser(argc, argv).options(public_options()).positional(none).run(),
            given);
        po::notify(given);
        return given;
    }
    catch (const po::error& e)
    {
        throw usage_error(std::string(e.what()) + "; the worker's command comes after --");
    }
}

} // namespace

options parse_options(int argc, const char* const* argv)
{
    // What comes after -- is the worker's, whatever it looks like.
    const char* const* const end = argv + argc;
    const char* const* const dashes =
        std::find_if(argv, end, [](const char* each) { return std::string(each) == "--"; });
    const po::variables_map given = read(static_cast<int>(dashes - argv), argv);
    options made;
    made.help = given.count("help") != 0;
    if (made.help)
        return made;
    if (end - dashes < 2)
        throw usage_error("expected -- and the command of the worker; see --help");
    made.worker = loops::command(dashes[1], {dashes + 2, end});
    if (given.count("watch") != 0)
        for (const std::string& each : given["watch"].as<std::vector<std::string>>())
            made.watched.emplace_back(each);
    if (made.watched.empty())
        made.watched.emplace_back(".");
    if (given.count("memory") != 0)
    {
        constexpr std::uint64_t most = std::uint64_t(1) << 30U;
        const auto mib = given["memory"].as<std::uint64_t>();
        if (mib < 1 || mib > most)
            throw usage_error("option '--memory': expected MiB from 1 on");
        made.most_memory = mib << 20U;
    }
    if (given["quiet"].as<int>() < 0)
        throw usage_error("option '--quiet': expected milliseconds from 0 on");
    made.quiet = std::chrono::milliseconds(given["quiet"].as<int>());
    return made;
}

void print_help(std::ostream& out)
{
    out << "Usage: dev_server [options] -- COMMAND [ARGUMENT...]\n\n"
           "Runs a command, the worker, and keeps it running: it is restarted when what is "
           "watched\n"
           "changes, when it has too much memory, and when it ends. Names that begin with a dot "
           "are\n"
           "not watched. Ctrl-C stops it.\n\n"
        << public_options();
}

} // namespace dev_server
