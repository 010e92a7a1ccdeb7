// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

#include "record.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace measure {
namespace {

namespace json = boost::json;

// JSON knows no number for what is none: a ratio to nothing, say.
json::value number(double value)
{
    return std::isfinite(value) ? json::value(value) : json::value();
}

json::object object(const estimate& of)
{
    return {{"median", number(of.median)}, {"low", number(of.low)}, {"high", number(of.high)}};
}

} // namespace

std::string to_json(const record& of)
{
    const json::object line{{"program", ::program_invocation_short_name}, {"table", of.table},
        {"name", of.name}, {"what", of.what}, {"unit", of.unit}, {"rounds", of.rounds},
        {"figure", object(of.figure)}, {"ratio", of.ratio ? object(*of.ratio) : json::value()},
        {"better", of.which == better::less ? "less" : "more"}};
    return json::serialize(line);
}

void write(const record& what)
{
    const char* const name = std::getenv("LOOPS_BENCH_JSON");
    if (name == nullptr)
        return;
    // Opened each time: some results come from forked processes.
    std::ofstream file(name, std::ios::app);
    if (!(file << to_json(what) + '\n' << std::flush))
        throw std::runtime_error(std::string("cannot write to ") + name);
}

} // namespace measure
