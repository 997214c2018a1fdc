#include "imap/server/message_batches.h"

namespace imap {

async::Task<base::Result<std::vector<store::Message>>> MessageBatches::Next() {
  const std::size_t begin = next_;
  do {
    ++next_;
  } while (next_ < numbers_.size() && next_ - begin < batch_max_ && numbers_[next_] == numbers_[next_ - 1] + 1);
  const MailboxView& view = c_->selected->view;
  const std::uint32_t first = view.uid(numbers_[begin]);
  const std::uint32_t last = view.uid(numbers_[next_ - 1]);
  const auto count = static_cast<std::uint32_t>(next_ - begin);
  // The numbers are neighbours, so there is no other message between them and the limit cuts nothing off.
  ASSIGN_OR_CO_RETURN(auto messages, co_await c_->store()->ListMessages(c_->selected->id, first, last, count));
  missing_ = count - messages.size();
  co_return messages;
}

}  // namespace imap
