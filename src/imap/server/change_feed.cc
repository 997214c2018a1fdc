#include "imap/server/change_feed.h"

#include <utility>

namespace imap {

async::Task<std::optional<base::Result<store::Changes>>> ChangeFeed::Ask(store::MailboxId mailbox,
                                                                         std::uint64_t modseq) {
  // An answer that an earlier call did not wait for was read before this call began: it may be too old.
  if (reading_) co_await done_.WaitFor(kPatience);
  if (reading_) co_return std::nullopt;
  reading_ = true;
  reads_.Spawn(Read(mailbox, modseq));
  co_await done_.WaitFor(kPatience);
  if (reading_) co_return std::nullopt;
  co_return std::exchange(answer_, std::nullopt);
}

async::Task<void> ChangeFeed::Read(store::MailboxId mailbox, std::uint64_t modseq) {
  answer_ = co_await store_->ChangesSince(mailbox, modseq);
  reading_ = false;
  done_.NotifyAll();
}

}  // namespace imap
