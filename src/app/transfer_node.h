// TransferNode: the node that an import or export speaks with, over as many connections as it takes.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>

#include "admin/control_client.h"
#include "base/result.h"

namespace app {

// A node closes a control connection that is silent for a while, and a slow source or disk makes us so: then the call
// is made again on a new connection, once. Only for commands that may be repeated, as all of mailbox.* are. Thread:
// one; calls block.
class TransferNode {
 public:
  using Connect = std::function<base::Result<admin::ControlClient>()>;
  explicit TransferNode(Connect connect) : connect_(std::move(connect)) {}

  // Errors: those of connect, before anything else is begun.
  base::Result<> Open();
  // Errors: as of admin::ControlClient.
  base::Result<boost::json::object> Call(std::string_view command, const boost::json::object& arguments);
  base::Result<boost::json::object> CallWithBody(std::string_view command, const boost::json::object& arguments,
                                                 const std::vector<std::string>& pieces);

 private:
  Connect connect_;
  std::optional<admin::ControlClient> client_;
};

}  // namespace app
