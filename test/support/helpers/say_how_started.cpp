// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// usage: say_how_started [CODE [ARGUMENTS]]
//
// Prints what the process was given, a line each: `key=value`. Exits with the code.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

void say(const std::string& key, const std::string& value)
{
    std::printf("%s=%s\n", key.c_str(), value.c_str());
}

void say(const std::string& key, long long value)
{
    say(key, std::to_string(value));
}

void say_descriptors()
{
    std::vector<int> open;
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
        open.push_back(std::atoi(each.path().filename().c_str()));
    std::sort(open.begin(), open.end());
    std::string all;
    for (const int each : open)
    {
        struct stat status = {};
        if (::fstat(each, &status) == 0) // the folder's own is closed
            all += (all.empty() ? "" : " ") + std::to_string(each);
    }
    say("descriptors", all);
}

void say_signals()
{
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
    {
        for (const char* const key : {"SigBlk", "SigIgn", "SigCgt", "Groups"})
        {
            if (line.compare(0, 6, key) == 0)
                say(key, line.substr(line.find('\t') + 1));
        }
    }
}

} // namespace

int main(int count, char** arguments)
{
    for (int i = 0; i < count; ++i)
        say("argument" + std::to_string(i), arguments[i]);
    say_descriptors();
    say_signals();
    say("directory", std::filesystem::current_path());
    say("group", ::getpgrp());
    say("session", ::getsid(0));
    say("pid", ::getpid());
    say("user", ::getuid());
    say("gid", ::getgid());
    const mode_t mask = ::umask(0);
    say("umask", mask);
    rlimit size{};
    ::getrlimit(RLIMIT_FSIZE, &size);
    say("file_size", static_cast<long long>(size.rlim_cur));
    int signal = 0;
    ::prctl(PR_GET_PDEATHSIG, &signal);
    say("death", signal);
    std::ifstream cgroups("/proc/self/cgroup");
    for (std::string line; std::getline(cgroups, line);)
    {
        if (line.rfind("0::", 0) == 0) // version 2's
            say("cgroup", line);
    }
    for (char** each = environ; *each != nullptr; ++each)
        say("environment", *each);
    return count > 1 ? std::atoi(arguments[1]) : 0;
}
