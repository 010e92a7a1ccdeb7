// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

// usage: notify_and_wait WORD...
//
// A worker as supervisors have them: does what each word says, then lives until SIGTERM, and exits with 0.
//
//   fd=N         writes a line's end to descriptor N
//   usr1         waits for SIGUSR1
//   exit=N       exits with N
//   anything     sends it to the socket that NOTIFY_SOCKET names, with a line's end for each "|"

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

bool notify(std::string text)
{
    const char* const name = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (name == nullptr || std::strlen(name) >= sizeof address.sun_path)
        return false;
    std::strcpy(address.sun_path, name);
    const std::size_t size = offsetof(sockaddr_un, sun_path) + std::strlen(name);
    if (address.sun_path[0] == '@')
        address.sun_path[0] = '\0';
    std::replace(text.begin(), text.end(), '|', '\n');
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const auto sent = ::sendto(fd, text.data(), text.size(), 0,
        reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size));
    ::close(fd);
    return sent == static_cast<ssize_t>(text.size());
}

void wait_for(int signal)
{
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, signal);
    int number = 0;
    ::sigwait(&one, &number);
}

} // namespace

int main(int argc, char* argv[])
{
    ::alarm(300); // where nobody ends it
    sigset_t held;
    ::sigemptyset(&held);
    ::sigaddset(&held, SIGTERM);
    ::sigaddset(&held, SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &held, nullptr);
    for (int index = 1; index < argc; ++index)
    {
        const std::string word = argv[index];
        if (word == "usr1")
            wait_for(SIGUSR1);
        else if (word.rfind("exit=", 0) == 0)
            return std::atoi(word.c_str() + 5);
        else if (word.rfind("fd=", 0) == 0 && ::write(std::atoi(word.c_str() + 3), "\n", 1) != 1)
            return 90;
        else if (word.rfind("fd=", 0) != 0 && !notify(word))
            return 91;
    }
    wait_for(SIGTERM);
    return 0;
}
