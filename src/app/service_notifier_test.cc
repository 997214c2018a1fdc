#include "app/service_notifier.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "async/task_group.h"
#include "async/testing.h"
#include "base/check.h"

namespace app {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// The manager's end of $NOTIFY_SOCKET.
class Manager {
 public:
  Manager() : path_("/tmp/posthorn-notify-" + std::to_string(::getpid())), fd_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    CHECK(path_.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    ::unlink(path_.c_str());
    CHECK(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  ~Manager() {
    ::close(fd_);
    ::unlink(path_.c_str());
  }

  const std::string& path() const { return path_; }
  std::vector<std::string> Received() const {
    std::vector<std::string> messages;
    char buffer[512];
    for (;;) {
      const ssize_t size = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (size < 0) return messages;
      messages.emplace_back(buffer, static_cast<std::size_t>(size));
    }
  }

 private:
  std::string path_;
  int fd_;
};

TEST(ServiceNotifier, TellsHowTheNodeDoes) {
  const Manager manager;
  ServiceNotifier notifier({.socket = manager.path()});
  notifier.Status("Recovering: segments,\n1 of 9");
  notifier.Ready("Serving");
  notifier.Reloading();
  notifier.Stopping();
  EXPECT_THAT(manager.Received(), ElementsAre("STATUS=Recovering: segments, 1 of 9", "READY=1\nSTATUS=Serving",
                                              StartsWith("RELOADING=1\nMONOTONIC_USEC="), HasSubstr("STOPPING=1\n")));
}

TEST(ServiceNotifier, GivesASignOfLifeTwiceWithinTheTimeThatTheManagerWaits) {
  const Manager manager;
  ServiceNotifier notifier({.socket = manager.path(), .watchdog = milliseconds(20)});
  asio::io_context context;
  async::TaskGroup tasks(context.get_executor(), "watchdog");
  tasks.Spawn(notifier.KeepAlive());
  const auto began = std::chrono::steady_clock::now();
  std::vector<std::string> signs;
  while (signs.size() < 4) {
    context.run_one();
    for (std::string& sign : manager.Received()) signs.push_back(std::move(sign));
  }
  EXPECT_EQ(signs.front(), "WATCHDOG=1");
  EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds(30));
  async::RunTask(context, tasks.Stop());
}

TEST(ServiceNotifier, SaysNothingWhenNobodyWantsToKnow) {
  ServiceNotifier notifier({.socket = "", .watchdog = milliseconds(1)});
  notifier.Ready("Serving");
  asio::io_context context;
  async::RunTask(context, notifier.KeepAlive());  // Ends at once.
}

TEST(ServiceNotifier, ReadsWhatSystemdSets) {
  const auto own = std::to_string(::getpid());
  ::setenv("NOTIFY_SOCKET", "@posthorn", 1);
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  ::setenv("WATCHDOG_PID", own.c_str(), 1);
  EXPECT_EQ(ServiceNotifier::FromEnvironment().socket, "@posthorn");
  EXPECT_EQ(ServiceNotifier::FromEnvironment().watchdog, std::chrono::seconds(30));
  ::setenv("WATCHDOG_PID", "1", 1);  // Meant for another process, whose child we are.
  EXPECT_EQ(ServiceNotifier::FromEnvironment().watchdog.count(), 0);
  ::setenv("WATCHDOG_PID", own.c_str(), 1);
  ::setenv("WATCHDOG_USEC", "soon", 1);
  EXPECT_EQ(ServiceNotifier::FromEnvironment().watchdog.count(), 0);
  for (const char* const name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
}

}  // namespace
}  // namespace app
