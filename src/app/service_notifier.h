// ServiceNotifier: tells systemd how the node does (sd_notify(3)), in a few lines of our own: one datagram a message to
// the socket that $NOTIFY_SOCKET names. docs/operations.md, "systemd"
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "async/asio.h"

namespace app {

struct ServiceNotifierOptions {
  std::string socket;                     // A path, or "@name" for an abstract one; empty: nobody wants to know.
  std::chrono::microseconds watchdog{0};  // How long systemd waits for a sign of life; 0: it does not.
};

// What is told is lost when nobody reads it; nothing waits for it, and nothing fails by it.
//
// Thread: the shard of the node, so that a shard that is stuck gives no sign of life.
class ServiceNotifier {
 public:
  // Of $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID.
  static ServiceNotifierOptions FromEnvironment();

  explicit ServiceNotifier(ServiceNotifierOptions options);
  ~ServiceNotifier();
  ServiceNotifier(const ServiceNotifier&) = delete;
  ServiceNotifier& operator=(const ServiceNotifier&) = delete;

  // One line for `systemctl status`.
  void Status(std::string_view text);
  void Ready(std::string_view status);
  void Reloading();
  void Stopping();
  // Signs of life, two within each time that systemd waits; ends at once when it does not wait.
  async::Task<void> KeepAlive();

 private:
  void Send(const std::string& message);

  ServiceNotifierOptions options_;
  int descriptor_ = -1;
};

}  // namespace app
