// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

/// An HTTP server of several processes: a master that keeps them alive by a child watcher, and
/// workers that serve on the loops of whatever policy the command line names.

#include "master.hpp"
#include "options.hpp"
#include "print.hpp"
#include "worker.hpp"

#include <csignal>
#include <exception>
#include <iostream>

int main(int argc, char* argv[])
{
    try
    {
        const prefork::options from = prefork::parse_options(argc, argv);
        if (from.help)
        {
            prefork::print_help(std::cout);
            return 0;
        }
        std::signal(SIGPIPE, SIG_IGN); // whoever reads our output may go
        return from.worker ? prefork::run_worker(from) : prefork::run_master(from);
    }
    catch (const prefork::usage_error& e)
    {
        prefork::print_line(std::cerr, e.what());
        return 2;
    }
    catch (const std::exception& e)
    {
        prefork::print_line(std::cerr, e.what());
        return 1;
    }
}
