#include "store/results.h"

#include "store/flags.h"

namespace store {

namespace {

base::Error Unreadable() {
  return base::Error(base::Errc::kCorrupt, "the result of an apply cannot be read");
}

}  // namespace

std::string EncodeAccountResult(std::uint32_t account) {
  std::string text;
  base::Encoder(text).U32(account);
  return text;
}

base::Result<std::uint32_t> DecodeAccountResult(std::string_view text) {
  base::Decoder in(text);
  const std::uint32_t account = in.U32();
  if (!in.AtEnd()) return Unreadable();
  return account;
}

std::string EncodeRefused(const std::vector<std::uint32_t>& targets) {
  std::string text;
  base::Encoder out(text);
  for (const std::uint32_t target : targets) out.U32(target);
  return text;
}

base::Result<std::vector<std::uint32_t>> DecodeRefused(std::string_view text) {
  base::Decoder in(text);
  std::vector<std::uint32_t> targets;
  while (in.ok() && in.remaining() > 0) targets.push_back(in.U32());
  if (!in.AtEnd()) return Unreadable();
  return targets;
}

std::string EncodeAppended(const Appended& appended) {
  std::string text;
  base::Encoder out(text);
  out.U32(appended.uid_validity);
  out.U32(appended.uid);
  return text;
}

base::Result<Appended> DecodeAppended(std::string_view text) {
  base::Decoder in(text);
  Appended appended;
  appended.uid_validity = in.U32();
  appended.uid = in.U32();
  if (!in.AtEnd()) return Unreadable();
  return appended;
}

std::string EncodeImported(const Imported& imported) {
  std::string text;
  base::Encoder out(text);
  out.U32(imported.uid);
  out.U8(imported.was_there ? 1 : 0);
  return text;
}

base::Result<Imported> DecodeImported(std::string_view text) {
  base::Decoder in(text);
  Imported imported;
  imported.uid = in.U32();
  imported.was_there = in.U8() == 1;
  if (!in.AtEnd()) return Unreadable();
  return imported;
}

std::string EncodeFlagsImported(const FlagsImported& imported) {
  std::string text;
  base::Encoder out(text);
  for (const std::uint32_t count : {imported.changed, imported.kept, imported.refused}) out.U32(count);
  return text;
}

base::Result<FlagsImported> DecodeFlagsImported(std::string_view text) {
  base::Decoder in(text);
  FlagsImported imported;
  for (std::uint32_t* const count : {&imported.changed, &imported.kept, &imported.refused}) *count = in.U32();
  if (!in.AtEnd()) return Unreadable();
  return imported;
}

std::string EncodeCopied(const Copied& copied) {
  std::string text;
  base::Encoder out(text);
  out.U32(copied.uid_validity);
  for (const auto& [source, destination] : copied.uids) {
    out.U32(source);
    out.U32(destination);
  }
  return text;
}

base::Result<Copied> DecodeCopied(std::string_view text) {
  base::Decoder in(text);
  Copied copied;
  copied.uid_validity = in.U32();
  while (in.ok() && in.remaining() > 0) {
    const std::uint32_t source = in.U32();
    copied.uids.emplace_back(source, in.U32());
  }
  if (!in.AtEnd()) return Unreadable();
  return copied;
}

std::string EncodeUidsResult(const std::vector<std::uint32_t>& uids) {
  std::string text;
  base::Encoder out(text);
  EncodeUids(uids, out);
  return text;
}

base::Result<std::vector<std::uint32_t>> DecodeUidsResult(std::string_view text) {
  base::Decoder in(text);
  std::vector<std::uint32_t> uids;
  if (!DecodeUids(in, kUidsPerEntryMax, uids) || !in.AtEnd()) return Unreadable();
  return uids;
}

void FlagsResultWriter::Add(std::uint32_t uid, const MessageRow& row) {
  base::Encoder out(messages_);
  out.Varint(uid);
  out.Varint(row.modseq);
  out.U8(row.system);
  out.Varint(row.keywords.size());
  for (const std::uint16_t keyword : row.keywords) out.Varint(keyword);
}

std::string FlagsResultWriter::Take() {
  std::string text;
  base::Encoder out(text);
  out.Text(text_);
  text.append(messages_);
  return text;
}

base::Result<std::vector<Message>> DecodeFlagsResult(std::string_view text) {
  base::Decoder in(text);
  std::vector<std::string> table;
  std::vector<Message> messages;
  if (!DecodeKeywords(in.Text(), table)) return Unreadable();
  while (in.ok() && in.remaining() > 0) {
    Message& message = messages.emplace_back();
    message.uid = static_cast<std::uint32_t>(in.Varint());
    message.modseq = in.Varint();
    const std::uint8_t system = in.U8();
    std::vector<std::uint16_t> keywords(std::min<std::uint64_t>(in.Varint(), kKeywordsPerMailboxMax));
    for (std::uint16_t& keyword : keywords) keyword = static_cast<std::uint16_t>(in.Varint());
    message.flags = NamedFlags(system, keywords, table);
  }
  if (!in.AtEnd()) return Unreadable();
  return messages;
}

std::string EncodeFlagsStored(std::string_view flags, const std::vector<std::uint32_t>& modified) {
  std::string text;
  base::Encoder out(text);
  out.Text(flags);
  EncodeUids(modified, out);
  return text;
}

base::Result<FlagsStored> DecodeFlagsStored(std::string_view text) {
  base::Decoder in(text);
  FlagsStored stored;
  ASSIGN_OR_RETURN(stored.changed, DecodeFlagsResult(in.Text()));
  if (!DecodeUids(in, kUidsPerEntryMax, stored.modified) || !in.AtEnd()) return Unreadable();
  return stored;
}

}  // namespace store
