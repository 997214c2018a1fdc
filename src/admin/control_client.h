// ControlClient: the other end of the control socket, for the subcommands.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>

#include "base/result.h"

namespace admin {

struct ControlClientOptions {
  std::chrono::seconds wait_max{120};  // For one answer: a commit on a slow disk, the hashing of a password.
  std::size_t answer_bytes_max = 64u << 20;
};

// One connection; calls one after the other. Blocks: for programs without a loop.
class ControlClient {
 public:
  // Errors: kClosed (no node listens there), kDenied, kInvalid (the path is too long), kIo.
  static base::Result<ControlClient> Connect(const std::string& path, ControlClientOptions options = {});
  ControlClient(ControlClient&& other) noexcept;
  ControlClient& operator=(ControlClient&&) = delete;
  ~ControlClient();

  // Returns the result. Errors: the node's own, with its code; kClosed (the node went), kTimeout, kIo.
  base::Result<boost::json::object> Call(std::string_view command, boost::json::object arguments);
  // The same, of a command with a body: its pieces follow the request, and their size is added to the arguments.
  base::Result<boost::json::object> CallWithBody(std::string_view command, boost::json::object arguments,
                                                 const std::vector<std::string>& pieces);

 private:
  ControlClient(int descriptor, ControlClientOptions options) : descriptor_(descriptor), options_(options) {}
  base::Result<> Send(std::string_view line);
  base::Result<std::string> ReceiveLine();

  int descriptor_;
  ControlClientOptions options_;
};

}  // namespace admin
