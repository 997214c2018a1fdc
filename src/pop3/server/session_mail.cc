// The TRANSACTION and UPDATE states (RFC 1939 §5, §6).
#include "async/turn.h"
#include "base/log.h"
#include "pop3/server/session.h"

namespace pop3::server {
namespace {

using async::Task;
using base::Errc;

constexpr std::uint64_t kPieceBytes = 64u << 10;

void Count(base::Counter* counter, std::uint64_t n) {
  if (counter != nullptr) counter->Add(n);
}

}  // namespace

Task<Session::Next> Session::Handle(proto::Stat) {
  if (RefuseBeforeLogin()) co_return CountBadCommand();
  Accept(std::to_string(drop_->kept_count()) + " " + std::to_string(drop_->kept_bytes()));
  co_return Next::kGoOn;
}

Task<Session::Next> Session::Handle(proto::List list) {
  co_return co_await SendListing(list.message, &Session::SizeOf);
}

Task<Session::Next> Session::Handle(proto::Uidl uidl) {
  co_return co_await SendListing(uidl.message, &Session::UniqueIdOf);
}

Task<Session::Next> Session::Handle(proto::Retr retr) {
  if (RefuseBeforeLogin()) co_return CountBadCommand();
  const Maildrop::Entry* const message = FindMessage(retr.message);
  if (message == nullptr) co_return Next::kGoOn;
  co_return co_await SendMessage(*message, std::nullopt);
}

Task<Session::Next> Session::Handle(proto::Top top) {
  if (RefuseBeforeLogin()) co_return CountBadCommand();
  const Maildrop::Entry* const message = FindMessage(top.message);
  if (message == nullptr) co_return Next::kGoOn;
  co_return co_await SendMessage(*message, proto::TopFilter(top.lines));
}

Task<Session::Next> Session::Handle(proto::Dele dele) {
  if (RefuseBeforeLogin()) co_return CountBadCommand();
  if (FindMessage(dele.message) == nullptr) co_return Next::kGoOn;
  drop_->Delete(dele.message);
  Accept("message " + std::to_string(dele.message) + " will be removed at QUIT");
  co_return Next::kGoOn;
}

Task<Session::Next> Session::Handle(proto::Noop) {
  if (RefuseBeforeLogin()) co_return CountBadCommand();
  Accept("nothing done");
  co_return Next::kGoOn;
}

Task<Session::Next> Session::Handle(proto::Rset) {
  if (RefuseBeforeLogin()) co_return CountBadCommand();
  drop_->Reset();
  Accept("maildrop has " + std::to_string(drop_->kept_count()) + " messages");
  co_return Next::kGoOn;
}

Task<Session::Next> Session::Handle(proto::Quit) {
  end_ = "quit";
  std::vector<std::uint32_t> uids;
  if (drop_.has_value()) uids = drop_->DeletedUids();
  if (!uids.empty()) {
    const std::size_t asked = uids.size();
    const auto removed = co_await services_->store->Expunge(drop_->mailbox(), std::move(uids), /*only_deleted=*/false);
    if (!removed.has_value()) {
      RefuseForError("maildrop_update_failed", removed.error());
      co_return Next::kClose;
    }
    // Those that IMAP removed meanwhile are gone as well, which is what the client asked for.
    deleted_ = static_cast<std::uint32_t>(asked);
    Count(services_->metrics.deleted, asked);
  }
  Accept("bye");
  co_return Next::kClose;
}

Task<Session::Next> Session::SendListing(std::optional<std::uint32_t> message, Describe describe) {
  if (RefuseBeforeLogin()) co_return CountBadCommand();
  if (message.has_value()) {
    const Maildrop::Entry* const entry = FindMessage(*message);
    if (entry != nullptr) Accept(std::to_string(*message) + " " + (this->*describe)(*entry));
    co_return Next::kGoOn;
  }
  Accept(std::to_string(drop_->kept_count()) + " messages");
  async::Turn turn;
  for (std::uint32_t number = 1; number <= drop_->count(); ++number) {
    const Maildrop::Entry* const entry = drop_->Find(number);
    if (entry == nullptr) continue;
    out_.append(std::to_string(number)).append(" ").append((this->*describe)(*entry)).append("\r\n");
    const Next next = co_await FlushIfMuch();
    if (next == Next::kClose) co_return next;
    if (turn.IsOver()) co_await turn.Pass();
  }
  out_.append(".\r\n");
  co_return Next::kGoOn;
}

Task<Session::Next> Session::SendMessage(Maildrop::Entry message, std::optional<proto::TopFilter> top) {
  proto::DotStuffer stuffer;
  async::Turn turn;
  std::uint64_t offset = 0;
  do {
    const auto piece = co_await ReadPiece(message, offset);
    if (!piece.has_value()) co_return GiveUpReading(offset, piece.error());
    if (offset == 0) Accept(std::to_string(message.size_bytes) + " octets");
    offset += piece->size();
    stuffer.Add(top.has_value() ? top->Pass(*piece) : *piece, out_);
    const Next next = co_await FlushIfMuch();
    if (next == Next::kClose) co_return next;
    if (turn.IsOver()) co_await turn.Pass();
  } while (offset < message.size_bytes && !(top.has_value() && top->IsDone()));
  stuffer.Finish(out_);
  if (!top.has_value()) {
    retrieved_ += 1;
    Count(services_->metrics.retrieved, 1);
  }
  co_return Next::kGoOn;
}

Task<base::Result<std::string>> Session::ReadPiece(Maildrop::Entry message, std::uint64_t offset) {
  auto piece = co_await services_->store->ReadMessage(drop_->mailbox(), message.uid, offset, kPieceBytes);
  if (piece.has_value() && piece->empty() && offset < message.size_bytes) {
    co_return base::Error(Errc::kCorrupt, "message " + UniqueIdOf(message) + " is shorter than its size says");
  }
  co_return piece;
}

Session::Next Session::GiveUpReading(std::uint64_t offset, const base::Error& error) {
  if (offset > 0) {
    // The response has begun and has no way to say that it is broken: only its missing end tells the client.
    LogFailure("maildrop_read_failed", error);
    end_ = "read_failed";
    out_.clear();
    return Next::kClose;
  }
  if (error.code() == Errc::kNotFound) {
    Refuse("the message was removed by another client");
  } else {
    RefuseForError("maildrop_read_failed", error);
  }
  return Next::kGoOn;
}

const Maildrop::Entry* Session::FindMessage(std::uint32_t number) {
  const Maildrop::Entry* const entry = drop_->Find(number);
  if (entry == nullptr) Refuse("no such message");
  return entry;
}

bool Session::RefuseBeforeLogin() {
  if (drop_.has_value()) return false;
  Refuse("log in first");
  return true;
}

std::string Session::SizeOf(const Maildrop::Entry& entry) const {
  return std::to_string(entry.size_bytes);
}

std::string Session::UniqueIdOf(const Maildrop::Entry& entry) const {
  return drop_->UniqueId(entry);
}

}  // namespace pop3::server
