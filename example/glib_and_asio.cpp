// Copyright (c) 2026 The Loops authors
// Distributed under the Boost Software License, Version 1.0. (See LICENSE_1_0.txt)

/// A monitor of GIO's and an Asio server on one thread: an HTTP server that tells how often a folder has changed.

#include <loops/foreign/glib.hpp>
#include <loops/run.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include <csignal>
#include <exception>
#include <iostream>
#include <memory>
#include <string>

#include <gio/gio.h>

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

// Counts what GIO tells of a folder.
class folder_monitor
{
public:
    explicit folder_monitor(const char* path)
        : folder_(g_file_new_for_path(path)),
          monitor_(g_file_monitor_directory(folder_, G_FILE_MONITOR_NONE, nullptr, nullptr))
    {
        if (monitor_ != nullptr)
            g_signal_connect(monitor_, "changed", G_CALLBACK(&on_changed), this);
    }
    folder_monitor(const folder_monitor&) = delete;
    folder_monitor& operator=(const folder_monitor&) = delete;
    ~folder_monitor()
    {
        if (monitor_ != nullptr)
            g_object_unref(monitor_);
        g_object_unref(folder_);
    }

    int changes() const { return changes_; }

private:
    static void on_changed(GFileMonitor*, GFile*, GFile*, GFileMonitorEvent, gpointer self)
    {
        ++static_cast<folder_monitor*>(self)->changes_;
    }

    GFile* const folder_;
    GFileMonitor* const monitor_;
    int changes_ = 0;
};

class server
{
public:
    server(asio::io_context& loop, const folder_monitor& monitor)
        : acceptor_(loop, {asio::ip::address_v4::loopback(), 0}), monitor_(monitor)
    {
        accept();
    }

    unsigned short port() const { return acceptor_.local_endpoint().port(); }
    void stop() { acceptor_.close(); }

private:
    struct session
    {
        explicit session(tcp::socket with) : socket(std::move(with)) {}
        tcp::socket socket;
        asio::streambuf request;
        std::string answer;
    };

    void accept()
    {
        acceptor_.async_accept([this](const loops::error_code& ec, tcp::socket socket) {
            if (ec)
                return;
            serve(std::make_shared<session>(std::move(socket)));
            accept();
        });
    }

    void serve(const std::shared_ptr<session>& one)
    {
        asio::async_read_until(one->socket, one->request, "\r\n\r\n",
            [this, one](const loops::error_code& ec, std::size_t) {
                if (ec)
                    return;
                const std::string body = std::to_string(monitor_.changes()) + " changes\n";
                one->answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body;
                asio::async_write(one->socket, asio::buffer(one->answer),
                    [one](const loops::error_code&, std::size_t) {});
            });
    }

    tcp::acceptor acceptor_;
    const folder_monitor& monitor_;
};

} // namespace

int main(int argc, char* argv[])
{
    try
    {
        asio::io_context& loop = loops::get_event_loop();
        const loops::glib_guest glib(loop);
        const folder_monitor monitor(argc > 1 ? argv[1] : ".");
        server serves(loop, monitor);
        std::cout << "http://127.0.0.1:" << serves.port() << "/ tells how often "
                  << (argc > 1 ? argv[1] : ".") << " has changed; Ctrl-C ends it" << std::endl;
        asio::signal_set signals(loop, SIGINT, SIGTERM);
        signals.async_wait([&](const loops::error_code&, int) { loop.stop(); });
        loops::run_loop(loop);
        return 0;
    }
    catch (const std::exception& e)
    {
        std::cerr << "glib_and_asio: " << e.what() << std::endl;
        return 1;
    }
}
