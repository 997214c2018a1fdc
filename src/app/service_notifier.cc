#include "app/service_notifier.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "async/deadline.h"

namespace app {
namespace {

std::string FromEnv(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::uint64_t NumberFrom(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

// A line end would begin another assignment.
std::string OneLine(std::string_view text) {
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  return line;
}

}  // namespace

ServiceNotifierOptions ServiceNotifier::FromEnvironment() {
  ServiceNotifierOptions options;
  options.socket = FromEnv("NOTIFY_SOCKET");
  const std::string process = FromEnv("WATCHDOG_PID");
  if (process.empty() || NumberFrom(process) == static_cast<std::uint64_t>(::getpid())) {
    options.watchdog = std::chrono::microseconds(NumberFrom(FromEnv("WATCHDOG_USEC")));
  }
  return options;
}

ServiceNotifier::ServiceNotifier(ServiceNotifierOptions options) : options_(std::move(options)) {
  if (!options_.socket.empty()) descriptor_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

ServiceNotifier::~ServiceNotifier() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ServiceNotifier::Status(std::string_view text) {
  Send("STATUS=" + OneLine(text));
}

void ServiceNotifier::Ready(std::string_view status) {
  Send("READY=1\nSTATUS=" + OneLine(status));
}

void ServiceNotifier::Reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  Send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000 + now.tv_nsec / 1'000));
}

void ServiceNotifier::Stopping() {
  Send("STOPPING=1\nSTATUS=Ending sessions, writing a checkpoint");
}

async::Task<void> ServiceNotifier::KeepAlive() {
  while (descriptor_ >= 0 && options_.watchdog.count() > 0) {
    Send("WATCHDOG=1");
    co_await async::Sleep(options_.watchdog / 2);
  }
}

void ServiceNotifier::Send(const std::string& message) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (descriptor_ < 0 || options_.socket.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, options_.socket.data(), options_.socket.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + options_.socket.size());
  // A manager that does not read must not hold up the shard.
  (void)::sendto(descriptor_, message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace app
