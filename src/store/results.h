// What an apply decided, as text on its way from the worker to the proposer (replog::Committed::applied). In memory
// only.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "store/mail_store.h"
#include "store/rows.h"

namespace store {

std::string EncodeAccountResult(std::uint32_t account);
base::Result<std::uint32_t> DecodeAccountResult(std::string_view text);

// Positions of the targets that were refused; empty text: none.
std::string EncodeRefused(const std::vector<std::uint32_t>& targets);
base::Result<std::vector<std::uint32_t>> DecodeRefused(std::string_view text);

std::string EncodeAppended(const Appended& appended);
base::Result<Appended> DecodeAppended(std::string_view text);

std::string EncodeImported(const Imported& imported);
base::Result<Imported> DecodeImported(std::string_view text);

std::string EncodeFlagsImported(const FlagsImported& imported);
base::Result<FlagsImported> DecodeFlagsImported(std::string_view text);

std::string EncodeCopied(const Copied& copied);
base::Result<Copied> DecodeCopied(std::string_view text);

std::string EncodeUidsResult(const std::vector<std::uint32_t>& uids);
base::Result<std::vector<std::uint32_t>> DecodeUidsResult(std::string_view text);

// UIDs, MODSEQs and flags of messages, with the keywords of their mailbox once.
class FlagsResultWriter {
 public:
  explicit FlagsResultWriter(const std::vector<std::string>& keywords) { EncodeKeywords(keywords, text_); }
  void Add(std::uint32_t uid, const MessageRow& row);
  std::string Take();

 private:
  std::string text_;
  std::string messages_;
};
base::Result<std::vector<Message>> DecodeFlagsResult(std::string_view text);

// `flags` is a FlagsResultWriter's; the UIDs are those that were left as they are.
std::string EncodeFlagsStored(std::string_view flags, const std::vector<std::uint32_t>& modified);
base::Result<FlagsStored> DecodeFlagsStored(std::string_view text);

}  // namespace store
