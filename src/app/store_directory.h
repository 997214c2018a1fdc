// StoreDirectory: the accounts of the store, as auth asks for them.
#pragma once

#include <string>

#include "async/shard.h"
#include "auth/authenticator.h"
#include "store/mail_store.h"

namespace app {

// Thread: any shard. Borrows the store and its shard.
class StoreDirectory final : public auth::Directory {
 public:
  StoreDirectory(async::Shard* shard, store::MailStore* store) : shard_(shard), store_(store) {}

  async::Task<base::Result<std::string>> PasswordHash(std::string address) override {
    co_return co_await shard_->Run(store_->PasswordHash(std::move(address)));
  }

 private:
  async::Shard* shard_;
  store::MailStore* store_;
};

}  // namespace app
