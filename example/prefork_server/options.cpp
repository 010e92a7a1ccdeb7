// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "options.hpp"

#include <loops/error.hpp>
#include <loops/make_policy.hpp>

#include "scoreboard.hpp"
#include "watchers.hpp"

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/variables_map.hpp>

#include <cstdint>
#include <limits>
#include <ostream>

namespace prefork {
namespace {

namespace po = boost::program_options;

po::options_description public_options()
{
    po::options_description all("Options");
    all.add_options()                                                                      //
        ("help,h", "print this and exit")                                                  //
        ("policy", po::value<std::string>()->value_name("TEXT")->default_value("default"), //
            "each worker's event-loop policy, such as default, shared:2, threaded, pool:2 or "
            "pool:2,chooser=least_loaded") //
        ("threads", po::value<std::string>()->value_name("N"),
            "short form: the N of shared or pool") //
        ("workers", po::value<std::string>()->value_name("N")->default_value("2"),
            "how many worker processes to keep alive") //
        ("port", po::value<std::string>()->value_name("N")->default_value("8080"),
            "the port on 127.0.0.1; 0: any that is free") //
        ("watcher", po::value<std::string>()->value_name("NAME")->default_value("default"),
            ("how the master watches its workers: " + watcher_names()).c_str()) //
        ("grace", po::value<std::string>()->value_name("SECONDS")->default_value("10"),
            "how long connections may take to end when the server stops");
    return all;
}

po::options_description all_options()
{
    po::options_description all = public_options();
    all.add_options()                        //
        ("worker", po::value<std::string>()) //
        ("slot", po::value<std::string>())   //
        ("master", po::value<std::string>());
    return all;
}

// Program_options would take -1 for an unsigned number, and wrap it.
unsigned number(const po::variables_map& given, const char* name, unsigned least, unsigned most)
{
    const std::string text = given[name].as<std::string>();
    std::uint64_t value = 0;
    bool good = !text.empty() && text.size() <= 10;
    for (const char digit : text)
    {
        good = good && digit >= '0' && digit <= '9';
        value = value * 10 + static_cast<std::uint64_t>(digit - '0');
    }
    if (!good || value < least || value > most)
        throw usage_error("option '--" + std::string(name) + "': expected a number from " +
                          std::to_string(least) + " to " + std::to_string(most) + ", found '" +
                          text + "'");
    return static_cast<unsigned>(value);
}

void check_policy(const std::string& description)
{
    try
    {
        loops::make_policy(description);
    }
    catch (const loops::system_error& e)
    {
        // Without what `what()` says of the code: the text is clear without it.
        const std::string text = e.what();
        const std::size_t end = text.rfind(": " + e.code().message());
        throw usage_error("option '--policy': " + text.substr(0, end));
    }
}

std::string with_threads(const std::string& description, unsigned threads)
{
    const std::size_t end = description.find(',');
    const std::string head = description.substr(0, end);
    const std::size_t colon = head.find(':');
    const std::string name = head.substr(0, colon);
    if (name != "shared" && name != "pool")
        throw usage_error("option '--threads': policy '" + name + "' has no number of threads");
    if (colon == std::string::npos)
        return head + ':' + std::to_string(threads) +
               (end == std::string::npos ? "" : description.substr(end));
    throw usage_error("option '--threads': policy '" + head + "' holds the number already");
}

po::variables_map read(int argc, const char* const* argv)
{
    using style = po::command_line_style::style_t;
    try
    {
        po::variables_map given;
        po::store(po::command_line_parser(argc, argv)
                      .options(all_options())
                      .positional({})
                      .style(style::unix_style & ~style::allow_guessing)
                      .run(),
            given);
        po::notify(given);
        return given;
    }
    catch (const po::too_many_positional_options_error&)
    {
        throw usage_error("this program takes options only, see --help");
    }
    catch (const po::error& e)
    {
        throw usage_error(e.what());
    }
}

} // namespace

options parse_options(int argc, const char* const* argv)
{
    const po::variables_map given = read(argc, argv);
    options made;
    made.help = given.count("help") != 0;
    if (made.help)
        return made;

    made.policy = given["policy"].as<std::string>();
    check_policy(made.policy);
    if (given.count("threads") != 0)
        made.policy = with_threads(made.policy, number(given, "threads", 1, 1024));

    made.watcher = given["watcher"].as<std::string>();
    check_watcher(made.watcher);

    made.workers = number(given, "workers", 1, scoreboard::max_workers);
    made.port = static_cast<unsigned short>(number(given, "port", 0, 65535));
    made.grace = std::chrono::seconds(number(given, "grace", 0, 3600));

    if (given.count("worker") != 0)
    {
        constexpr unsigned any_pid = std::numeric_limits<int>::max();
        if (given.count("master") == 0 || given.count("slot") == 0)
            throw usage_error("option '--worker' is the master's to give");
        made.worker = worker_role{number(given, "worker", 0, scoreboard::max_workers - 1),
            number(given, "slot", 0, 2), static_cast<int>(number(given, "master", 1, any_pid))};
    }
    return made;
}

void print_help(std::ostream& out)
{
    out << "Usage: prefork_server [options]\n\n"
           "Serves HTTP on 127.0.0.1 by worker processes, which a master keeps alive. Each takes\n"
           "its event loops from the policy named here. GET / answers a text, /status what runs\n"
           "(JSON), /work?us=N after N microseconds of work.\n\n"
        << public_options();
}

} // namespace prefork
