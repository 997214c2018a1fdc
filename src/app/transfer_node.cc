#include "app/transfer_node.h"

namespace app {

namespace json = boost::json;
using base::Errc;
using base::Result;

Result<> TransferNode::Open() {
  ASSIGN_OR_RETURN(admin::ControlClient client, connect_());
  client_.reset();
  client_.emplace(std::move(client));
  return {};
}

Result<json::object> TransferNode::Call(std::string_view command, const json::object& arguments) {
  return CallWithBody(command, arguments, {});
}

Result<json::object> TransferNode::CallWithBody(std::string_view command, const json::object& arguments,
                                                const std::vector<std::string>& pieces) {
  const auto call = [&] {
    return pieces.empty() ? client_->Call(command, arguments) : client_->CallWithBody(command, arguments, pieces);
  };
  auto answer = call();
  if (answer || answer.error().code() != Errc::kClosed) return answer;
  RETURN_IF_ERROR(Open());
  return call();
}

}  // namespace app
