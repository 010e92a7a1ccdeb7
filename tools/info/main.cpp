// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

/// Tells what this build of Loops is, and what it finds on this machine.

#include "facts.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/variables_map.hpp>

#include <exception>
#include <iomanip>
#include <iostream>
#include <string>

namespace {

namespace json = boost::json;
namespace po = boost::program_options;
using loops_info::facts;

template <class T>
json::value optional(const std::optional<T>& of)
{
    return of ? json::value(*of) : json::value();
}

json::object to_json(const facts& from)
{
    json::array cpus(from.allowed_cpus.begin(), from.allowed_cpus.end());
    json::object features;
    for (const auto& each : from.features)
        features[each.name] = {{"works", each.why_not.empty()}, {"why_not", each.why_not}};
    json::object limits;
    for (const auto& each : from.limits)
        limits[each.name] = {{"value", optional(each.value)}, {"source", each.source}};
    return {{"version", from.version}, {"boost", from.boost_version},
        {"asio_backend", from.asio_backend}, {"compiler", from.compiler},
        {"cxx_standard", from.cxx_standard}, {"allowed_cpus", cpus},
        {"cpu_quota", optional(from.cpu_quota)}, {"available_parallelism", from.parallelism},
        {"policy", from.policy}, {"policy_source", from.policy_source},
        {"child_watcher", from.watcher}, {"child_watcher_reason", from.watcher_reason},
        {"features", features}, {"limits", limits},
        {"warnings", json::array(from.warnings.begin(), from.warnings.end())}};
}

std::ostream& line(const std::string& name)
{
    constexpr int width = 24;
    return std::cout << std::left << std::setw(width) << name;
}

void print(const facts& from)
{
    line("Loops") << from.version << ", Boost " << from.boost_version << ", Asio by "
                  << from.asio_backend << ", " << from.compiler << ", C++ " << from.cxx_standard
                  << '\n';
    line("CPUs") << from.allowed_cpus.size() << " allowed, quota ";
    if (from.cpu_quota)
        std::cout << *from.cpu_quota;
    else
        std::cout << "none";
    std::cout << ": " << from.parallelism << " threads at a time\n";
    line("policy") << from.policy << " (" << from.policy_source << ")\n";
    line("child watcher") << from.watcher << " (" << from.watcher_reason << ")\n";
    for (const auto& each : from.features)
        line(each.name) << (each.why_not.empty() ? "works" : "no: " + each.why_not) << "; for "
                        << each.what_for << '\n';
    for (const auto& each : from.limits)
        line(each.name) << (each.value ? std::to_string(*each.value) : "no limit") << " ("
                        << each.source << ")\n";
    for (const std::string& each : from.warnings)
        line("warning") << each << '\n';
}

int run(int argc, char* argv[])
{
    po::options_description all("Options");
    all.add_options()("help,h", "print this and exit")("json,j", "print one object of JSON");
    po::variables_map given;
    try
    {
        po::store(po::parse_command_line(argc, argv, all), given);
    }
    catch (const po::error& e)
    {
        std::cerr << "loops-info: " << e.what() << std::endl;
        return 2;
    }
    if (given.count("help") != 0)
        std::cout << "Usage: loops-info [options]\n\nTells what this build of Loops is, and what "
                     "it finds on this machine.\n\n"
                  << all;
    else if (given.count("json") != 0)
        std::cout << to_json(loops_info::find_facts()) << '\n';
    else
        print(loops_info::find_facts());
    return 0;
}

} // namespace

int main(int argc, char* argv[])
{
    try
    {
        return run(argc, argv);
    }
    catch (const std::exception& e)
    {
        std::cerr << "loops-info: " << e.what() << std::endl;
        return 1;
    }
}
