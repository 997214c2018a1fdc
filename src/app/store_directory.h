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

  async::Task<base::Result<auth::Credentials>> Find(std::string address) override {
    ASSIGN_OR_CO_RETURN(store::Credentials found, co_await shard_->Run(store_->FindCredentials(std::move(address))));
    co_return auth::Credentials{.password_hash = std::move(found.password_hash),
                                .scram_keys = std::move(found.scram_keys)};
  }
  async::Task<base::Result<>> AddScramKeys(std::string address, auth::Credentials credentials) override {
    co_return co_await shard_->Run(store_->AddScramKeys(
        std::move(address),
        {.password_hash = std::move(credentials.password_hash), .scram_keys = std::move(credentials.scram_keys)}));
  }
  bool AllHaveScramKeys() const override { return store_->AccountsWithoutScramKeys() == 0; }

 private:
  async::Shard* shard_;
  store::MailStore* store_;
};

}  // namespace app
