// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// How the programs of bench/ tell their results to tools/bench.

#define BOOST_TEST_MODULE bench_record
#include "../../bench/measure.hpp"
#include "support/folder.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace json = boost::json;
using measure::better;
using measure::record;

namespace {

std::vector<json::object> lines_of(const std::string& file)
{
    std::vector<json::object> all;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);)
        all.push_back(json::parse(line).as_object());
    return all;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_record_is_a_line_of_json)
{
    record it{"a \"table\"", "a\nname", "wall time", "us", 11, {2.5, 2, 3},
        measure::estimate{1.25, 1, 1.5}, better::more};
    const std::string line = measure::to_json(it);
    BOOST_TEST(line.find('\n') == std::string::npos);
    const json::object read = json::parse(line).as_object();
    BOOST_TEST(read.at("program").as_string() == ::program_invocation_short_name);
    BOOST_TEST(read.at("table").as_string() == it.table);
    BOOST_TEST(read.at("name").as_string() == it.name);
    BOOST_TEST(read.at("what").as_string() == "wall time");
    BOOST_TEST(read.at("unit").as_string() == "us");
    BOOST_TEST(read.at("rounds").to_number<int>() == 11);
    BOOST_TEST(read.at("figure").at("median").as_double() == 2.5);
    BOOST_TEST(read.at("figure").at("low").as_double() == 2);
    BOOST_TEST(read.at("figure").at("high").as_double() == 3);
    BOOST_TEST(read.at("ratio").at("median").as_double() == 1.25);
    BOOST_TEST(read.at("better").as_string() == "more");

    it.ratio.reset();
    it.figure.high = std::numeric_limits<double>::infinity();
    it.which = better::less;
    const json::object other = json::parse(measure::to_json(it)).as_object();
    BOOST_TEST(other.at("ratio").is_null());
    BOOST_TEST(other.at("figure").at("high").is_null());
    BOOST_TEST(other.at("better").as_string() == "less");
}

BOOST_AUTO_TEST_CASE(what_is_printed_is_appended_to_the_file)
{
    const test::folder place;
    const std::string file = (place / "results").string();
    ::setenv("LOOPS_BENCH_JSON", file.c_str(), 1);
    double of_first = 10;
    std::vector<measure::rival> rivals;
    // Slower each round, as on a machine that somebody begins to use: the ratio stays.
    rivals.push_back({"first", [&of_first] { return of_first *= 2; }});
    rivals.push_back({"second", [&of_first, turn = 0]() mutable {
                          // There and back: in every second round it is the first's turn later.
                          return ++turn % 2 == 0 ? 3 * of_first : 6 * of_first;
                      }});
    measure::print_heading("", "rivals", "a time");
    for (const measure::result& each : measure::interleave(9, rivals))
        measure::print("", each);
    ::unsetenv("LOOPS_BENCH_JSON");
    measure::write(record{});

    const auto read = lines_of(file);
    BOOST_TEST_REQUIRE(read.size() == 2U);
    BOOST_TEST(read[0].at("name").as_string() == "first");
    BOOST_TEST(read[1].at("name").as_string() == "second");
    for (const json::object& each : read)
    {
        BOOST_TEST(each.at("table").as_string() == "rivals");
        BOOST_TEST(each.at("what").as_string() == "a time");
        BOOST_TEST(each.at("unit").as_string() == "ns");
        BOOST_TEST(each.at("rounds").to_number<int>() == 9);
    }
    BOOST_TEST(read[0].at("ratio").at("high").as_double() == 1);
    BOOST_TEST(read[1].at("ratio").at("low").as_double() == 3);
    BOOST_TEST(read[1].at("ratio").at("high").as_double() == 3);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_written_is_an_error)
{
    ::setenv("LOOPS_BENCH_JSON", "/nonexistent/folder/results", 1);
    BOOST_CHECK_THROW(measure::write(record{}), std::runtime_error);
    ::unsetenv("LOOPS_BENCH_JSON");
}

BOOST_AUTO_TEST_CASE(the_interval_leaves_out_what_96_percent_allow)
{
    BOOST_TEST(measure::left_out(8) == 0U);
    BOOST_TEST(measure::left_out(9) == 1U);
    // 101 values: below the 40th and above the 62nd lie 2% of the distribution each.
    BOOST_TEST(measure::left_out(101) == 39U);
    const auto it = measure::estimate_of({9, 1, 5, 3, 7, 2, 8, 4, 6});
    BOOST_TEST(it.median == 5);
    BOOST_TEST(it.low == 2);
    BOOST_TEST(it.high == 8);
}
