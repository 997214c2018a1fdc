// UserCommands: user.add, user.passwd, user.remove, user.list.
#pragma once

#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "admin/command_table.h"
#include "async/worker_pool.h"
#include "auth/authenticator.h"
#include "base/result.h"
#include "store/mail_store.h"

namespace admin {

// Thread: the node's shard; hashes on the worker pool. Errors: sentences for the operator; the store's errors as they
// are.
class UserCommands {
 public:
  // As in NodeParts.
  struct Parts {
    store::MailStore* store;
    auth::Authenticator* authenticator;
    async::WorkerPool* hashing;
    const std::vector<std::string>* domains;
    char recipient_delimiter;
  };
  explicit UserCommands(const Parts& parts) : parts_(parts) {}

  void AddTo(CommandTable* table);

 private:
  using Answer = async::Task<base::Result<boost::json::object>>;
  Answer Add(Arguments arguments);
  Answer SetPassword(Arguments arguments);
  Answer Remove(Arguments arguments);
  Answer List(Arguments arguments);

  async::Task<base::Result<store::Credentials>> MakeCredentials(std::string password);

  Parts parts_;
};

// The canonical form of an account's address as an operator wrote it. Errors: kInvalid (no address, a foreign domain, a
// sub-address).
base::Result<std::string> AccountAddress(std::string_view text, const std::vector<std::string>& domains,
                                         char recipient_delimiter);

}  // namespace admin
