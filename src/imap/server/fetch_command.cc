#include "imap/server/fetch_command.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "imap/proto/body_structure.h"
#include "imap/proto/response.h"
#include "imap/server/message_batches.h"
#include "imap/server/message_reader.h"
#include "mail/envelope_fields.h"

namespace imap {
namespace {

using base::Error;
using base::Result;

// What the items need of a message, so that no more is read.
struct Needs {
  bool index = false;    // Anything but the UID.
  bool content = false;  // Anything of the message itself.
  bool flags = false;    // FLAGS was asked for.
  bool modseq = false;   // MODSEQ was asked for.
  bool seen = false;     // \Seen is to be set.
};

Needs NeedsOf(const std::vector<FetchItem>& items) {
  Needs needs;
  for (const FetchItem& item : items) {
    if (const auto* section = std::get_if<FetchSection>(&item)) {
      needs.index = needs.content = true;
      needs.seen = needs.seen || !section->peek;
      continue;
    }
    const FetchField field = std::get<FetchField>(item);
    needs.index = needs.index || field != FetchField::kUid;
    needs.flags = needs.flags || field == FetchField::kFlags;
    needs.modseq = needs.modseq || field == FetchField::kModseq;
    needs.content = needs.content || field == FetchField::kBody || field == FetchField::kBodyStructure ||
                    field == FetchField::kEnvelope;
  }
  return needs;
}

std::chrono::sys_seconds Seconds(base::WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time);
}

// One FETCH as it goes along.
class Fetcher {
 public:
  Fetcher(Conversation* c, std::vector<FetchItem> items) : c_(c), items_(std::move(items)), needs_(NeedsOf(items_)) {
    needs_.seen = needs_.seen && !c->selected->read_only;
  }

  const Needs& needs() const { return needs_; }
  async::Task<Result<>> SendBatch(std::vector<store::Message> messages);
  // How many messages were gone when they were to be sent.
  std::size_t missing() const { return missing_; }
  // The first of those that could not be read; the others were sent.
  const std::optional<Error>& unreadable() const { return unreadable_; }
  void SendUidOnly(std::uint32_t sequence);

 private:
  async::Task<void> MarkSeen(std::vector<store::Message>* messages);
  async::Task<Result<>> Send(const store::Message* message, std::uint32_t sequence);
  async::Task<Result<>> SendField(FetchField field, const store::Message* message, MessageReader* reader,
                                  FetchLine* line);
  async::Task<Result<>> SendStructure(bool extended, MessageReader* reader, FetchLine* line);
  async::Task<Result<>> SendSection(const FetchSection* item, MessageReader* reader, FetchLine* line);
  async::Task<Result<>> SendRange(mail::Range range, MessageReader* reader);

  Conversation* c_;
  std::vector<FetchItem> items_;
  Needs needs_;
  std::size_t missing_ = 0;
  std::optional<Error> unreadable_;
  std::vector<std::uint32_t> newly_seen_;  // Of this batch, by UID: their flags are told although nobody asked.
  bool line_has_left_ = false;             // A part of the line that is being built has been sent.
};

// A literal has no NUL (RFC 3501 §9, CHAR8), and the size that it announces stays that of what is stored: mail that
// came by SMTP may have any byte. 0x80 stands in no text of its own, and other servers send it for NUL too.
void HideNul(std::string& bytes) {
  std::ranges::replace(bytes, '\0', '\x80');
}

void Fetcher::SendUidOnly(std::uint32_t sequence) {
  FetchLine line(c_->out.buffer(), sequence);
  line.Uid(c_->selected->view.uid(sequence));
  line.End();
}

async::Task<Result<>> Fetcher::SendBatch(std::vector<store::Message> messages) {
  if (needs_.seen) co_await MarkSeen(&messages);
  for (const store::Message& message : messages) {
    const auto sequence = c_->selected->view.SequenceOf(message.uid);
    if (!sequence.has_value()) continue;
    if (needs_.flags || needs_.seen) c_->selected->view.LearnKeywords(message, c_->out.buffer());
    const auto sent = co_await Send(&message, *sequence);
    if (!sent.has_value() && c_->out.failed()) co_return sent;
    if (!sent.has_value() && sent.error().code() == base::Errc::kNotFound) {
      ++missing_;
    } else if (!sent.has_value()) {
      // One damaged mail must not keep a client from all that follow it.
      if (!unreadable_.has_value()) unreadable_ = sent.error();
    }
    co_await c_->out.FlushIfLarge();
    if (c_->out.failed()) co_return Error(base::Errc::kClosed, "the client is gone");
    if (c_->turn.IsOver()) co_await c_->turn.Pass();
  }
  co_return Result<>();
}

// A volume that cannot be written must still let mail be read: then \Seen is not set, and nobody is told that it was.
async::Task<void> Fetcher::MarkSeen(std::vector<store::Message>* messages) {
  std::vector<std::uint32_t> unseen;
  for (const store::Message& message : *messages) {
    if ((message.flags.system & store::Flags::kSeen) == 0) unseen.push_back(message.uid);
  }
  newly_seen_.clear();
  if (unseen.empty()) co_return;
  const auto changed = co_await c_->store()->StoreFlags(c_->selected->id, std::move(unseen), store::FlagsChange::kAdd,
                                                        store::Flags{.system = store::Flags::kSeen, .keywords = {}});
  if (!changed.has_value()) co_return;
  for (const store::Message& now : *changed) {
    const auto before = std::ranges::lower_bound(*messages, now.uid, {}, &store::Message::uid);
    if (before == messages->end() || before->uid != now.uid) continue;
    before->flags = now.flags;
    before->modseq = now.modseq;
    if (!needs_.flags) newly_seen_.push_back(now.uid);
  }
}

async::Task<Result<>> Fetcher::Send(const store::Message* message, std::uint32_t sequence) {
  MessageReader reader(c_->store(), &c_->turn, c_->selected->id, message->uid, message->size_bytes);
  line_has_left_ = false;
  const std::size_t begin = c_->out.buffer().size();
  FetchLine line(c_->out.buffer(), sequence);
  for (const FetchItem& item : items_) {
    Result<> sent;
    if (const auto* section = std::get_if<FetchSection>(&item)) {
      sent = co_await SendSection(section, &reader, &line);
    } else {
      sent = co_await SendField(std::get<FetchField>(item), message, &reader, &line);
    }
    if (!sent.has_value()) {
      // The line is taken back. When its beginning has been sent, nothing but closing the connection can tell the
      // client.
      if (line_has_left_) {
        c_->out.Break();
      } else {
        c_->out.buffer().resize(begin);
      }
      co_return sent;
    }
  }
  // Within the same response (RFC 3501 §6.4.5): curl takes a FETCH response of its own for the mail it asked for.
  if (std::ranges::binary_search(newly_seen_, message->uid)) {
    CO_RETURN_IF_ERROR(co_await SendField(FetchField::kFlags, message, &reader, &line));
    if (c_->condstore && !needs_.modseq) line.Modseq(message->modseq);
  }
  line.End();
  co_return Result<>();
}

async::Task<Result<>> Fetcher::SendField(FetchField field, const store::Message* message, MessageReader* reader,
                                         FetchLine* line) {
  switch (field) {
    case FetchField::kUid:
      line->Uid(message->uid);
      break;
    case FetchField::kFlags:
      line->Flags(ToFlagSet(message->flags), c_->selected->view.IsRecent(message->uid));
      c_->selected->view.Told(message->uid, message->modseq);
      break;
    case FetchField::kModseq:
      line->Modseq(message->modseq);
      break;
    case FetchField::kInternalDate:
      line->InternalDate(Seconds(message->internal_date));
      break;
    case FetchField::kRfc822Size:
      line->Size(message->size_bytes);
      break;
    case FetchField::kEnvelope: {
      ASSIGN_OR_CO_RETURN(const std::string_view header, co_await reader->Header());
      line->Name("ENVELOPE");
      AppendEnvelope(c_->out.buffer(), mail::ParseEnvelopeFields(header));
      break;
    }
    case FetchField::kBody:
      co_return co_await SendStructure(false, reader, line);
    case FetchField::kBodyStructure:
      co_return co_await SendStructure(true, reader, line);
  }
  co_return Result<>();
}

// The messages enclosed in `part`, in the order in which AppendBodyStructure asks for their envelopes.
void CollectEnclosed(const mail::MimePart& part, std::vector<const mail::MimePart*>& enclosed) {
  if (part.IsMessage()) enclosed.push_back(&part.children.front());
  for (const mail::MimePart& child : part.children) CollectEnclosed(child, enclosed);
}

async::Task<Result<>> Fetcher::SendStructure(bool extended, MessageReader* reader, FetchLine* line) {
  ASSIGN_OR_CO_RETURN(const mail::MimePart* root, co_await reader->Structure());
  std::vector<const mail::MimePart*> enclosed;
  CollectEnclosed(*root, enclosed);
  std::vector<std::pair<const mail::MimePart*, mail::EnvelopeFields>> envelopes;
  for (const mail::MimePart* message : enclosed) {
    ASSIGN_OR_CO_RETURN(const std::string header, co_await reader->Bytes(message->header));
    envelopes.emplace_back(message, mail::ParseEnvelopeFields(header));
    if (c_->turn.IsOver()) co_await c_->turn.Pass();
  }
  std::ranges::sort(envelopes, {}, [](const auto& e) { return e.first; });
  line->Name(extended ? "BODYSTRUCTURE" : "BODY");
  BodyStructureWriter writer(root, extended, [&envelopes](const mail::MimePart& message) {
    const auto found = std::ranges::lower_bound(envelopes, &message, {}, [](const auto& e) { return e.first; });
    return found->second;
  });
  while (writer.Step(c_->out.buffer())) {
    if (c_->turn.IsOver()) co_await c_->turn.Pass();
  }
  co_return Result<>();
}

async::Task<Result<>> Fetcher::SendSection(const FetchSection* item, MessageReader* reader, FetchLine* line) {
  ASSIGN_OR_CO_RETURN(const auto found, co_await reader->Find(item->section));
  line->Name(SectionLabel(*item));
  std::string& out = c_->out.buffer();
  if (!found.has_value()) {
    out += "NIL";
    co_return Result<>();
  }
  mail::Range range = found->built.has_value() ? mail::Range{.offset = 0, .size = found->built->size()} : found->range;
  if (item->partial.has_value()) {
    const std::uint64_t skipped = std::min<std::uint64_t>(item->partial->offset, range.size);
    range = {.offset = range.offset + skipped,
             .size = std::min<std::uint64_t>(item->partial->size, range.size - skipped)};
  }
  if (!found->built.has_value()) co_return co_await SendRange(range, reader);
  AppendLiteralMark(out, range.size);
  std::string built = found->built->substr(range.offset, range.size);
  HideNul(built);
  out += built;
  co_return Result<>();
}

async::Task<Result<>> Fetcher::SendRange(mail::Range range, MessageReader* reader) {
  ASSIGN_OR_CO_RETURN(std::string piece, co_await reader->Piece(range.offset, range.size));
  HideNul(piece);
  AppendLiteralMark(c_->out.buffer(), range.size);
  c_->out.Add(piece);
  std::uint64_t sent = piece.size();
  while (sent < range.size) {
    if (c_->out.IsLarge()) {
      line_has_left_ = true;
      co_await c_->out.Flush();
    }
    if (c_->out.failed()) co_return Error(base::Errc::kClosed, "the client is gone");
    if (c_->turn.IsOver()) co_await c_->turn.Pass();
    ASSIGN_OR_CO_RETURN(piece, co_await reader->Piece(range.offset + sent, range.size - sent));
    HideNul(piece);
    c_->out.Add(piece);
    sent += piece.size();
  }
  co_return Result<>();
}

}  // namespace

void TellFlags(Conversation* c, const store::Message& message) {
  const auto sequence = c->selected->view.SequenceOf(message.uid);
  if (!sequence.has_value()) return;
  c->selected->view.LearnKeywords(message, c->out.buffer());
  FetchLine line(c->out.buffer(), *sequence);
  line.Uid(message.uid);
  line.Flags(ToFlagSet(message.flags), c->selected->view.IsRecent(message.uid));
  if (c->condstore) line.Modseq(message.modseq);
  line.End();
  c->selected->view.Told(message.uid, message.modseq);
}

async::Task<Reply> RunFetch(Conversation* c, Fetch fetch) {
  std::vector<std::uint32_t> numbers = c->selected->view.Numbers(fetch.set, fetch.uid);
  if (fetch.changed_since.has_value()) {
    const auto changed = co_await c->store()->ChangedUids(c->selected->id, *fetch.changed_since);
    if (!changed.has_value()) co_return ReplyTo(changed.error());
    std::erase_if(numbers, [&](std::uint32_t number) {
      return !std::ranges::binary_search(*changed, c->selected->view.uid(number));
    });
    if (numbers.empty()) {
      EnableCondstore(c);
      co_return Ok("FETCH completed");
    }
  }
  Fetcher fetcher(c, std::move(fetch.items));
  if (fetcher.needs().modseq) EnableCondstore(c);
  if (!fetcher.needs().index) {
    for (const std::uint32_t number : numbers) {
      fetcher.SendUidOnly(number);
      co_await c->out.FlushIfLarge();
      if (c->turn.IsOver()) co_await c->turn.Pass();
    }
    co_return Ok("FETCH completed");
  }
  // Little batches where content is read, so that \Seen is not set long before the message is sent.
  MessageBatches batches(c, numbers, fetcher.needs().content ? 32 : 512);
  std::size_t missing = 0;
  while (!batches.done()) {
    auto messages = co_await batches.Next();
    if (!messages.has_value()) co_return ReplyTo(messages.error());
    missing += batches.missing();
    const auto sent = co_await fetcher.SendBatch(*std::move(messages));
    if (!sent.has_value()) co_return ReplyTo(sent.error());
  }
  if (fetcher.unreadable().has_value()) co_return ReplyTo(*fetcher.unreadable());
  if (missing + fetcher.missing() == 0) co_return Ok("FETCH completed");
  co_return Reply{
      .condition = Condition::kOk, .code = std::string(kCodeExpungeIssued), .text = "some messages are gone"};
}

}  // namespace imap
