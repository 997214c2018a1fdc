// MessageBatches: the index entries of many messages of the selected mailbox, a bounded number at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "imap/server/conversation.h"
#include "store/types.h"

namespace imap {

// Borrows the conversation, whose mailbox stays selected meanwhile.
class MessageBatches {
 public:
  // `numbers`: ascending sequence numbers.
  MessageBatches(Conversation* c, std::vector<std::uint32_t> numbers, std::uint32_t batch_max)
      : c_(c), numbers_(std::move(numbers)), batch_max_(batch_max) {}

  bool done() const { return next_ == numbers_.size(); }
  // Messages with neighbouring numbers, by UID; those that were expunged meanwhile are left out. Errors: the store's.
  async::Task<base::Result<std::vector<store::Message>>> Next();
  // How many the last batch left out.
  std::size_t missing() const { return missing_; }

 private:
  Conversation* c_;
  std::vector<std::uint32_t> numbers_;
  std::uint32_t batch_max_;
  std::size_t next_ = 0;
  std::size_t missing_ = 0;
};

}  // namespace imap
