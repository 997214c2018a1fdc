// MessageSearch: looks for the texts of a SEARCH in one message after the other.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "async/asio.h"
#include "async/turn.h"
#include "base/result.h"
#include "imap/proto/search_evaluation.h"
#include "imap/server/message_reader.h"
#include "mail/header.h"
#include "mail/text.h"

namespace imap {

// Thread: the store's shard, in turns: a message may be large and the texts many, and each step is small. Borrows the
// key and the turn. Memory: a piece of a message. Errors: those of MessageReader.
class MessageSearch {
 public:
  MessageSearch(const SearchKey& key, async::Turn* turn);

  // What the key asks of the header.
  async::Task<base::Result<HeaderFacts>> Header(MessageReader* reader) const;
  // Which of the content texts the message has, by SearchKey::text_index.
  async::Task<base::Result<std::vector<bool>>> Content(MessageReader* reader) const;

 private:
  struct Sought {
    mail::TextSearch text;
    std::string field;       // Of a header key.
    bool in_header = false;  // Of a content key: TEXT looks into the header of the message too.
  };

  async::Task<base::Result<>> ContentOfHeader(const mail::MimePart* part, bool is_root, MessageReader* reader,
                                              std::vector<bool>* found) const;
  async::Task<base::Result<>> ContentOfBody(const mail::MimePart* part, MessageReader* reader,
                                            std::vector<bool>* found) const;
  async::Task<void> Look(std::string_view folded, bool in_header, std::vector<bool>* found) const;

  async::Turn* turn_;
  std::vector<Sought> headers_;    // By text_index, of the header keys.
  std::vector<Sought> texts_;      // By text_index, of the content keys.
  std::size_t overlap_bytes_ = 0;  // Of a folded text, what may be the beginning of a needle.
};

}  // namespace imap
