// DATA and BDAT: the bytes of a mail on their way in, and the decision between direct delivery and the queue.
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/log.h"
#include "mail/ascii.h"
#include "mail/header.h"
#include "mail/trace.h"
#include "smtp/server/session.h"

namespace smtp {
namespace {

constexpr std::string_view kDeliveredTo = "Delivered-To";

}  // namespace

bool Session::takes_direct_path() const {
  // Who wants to hear of the delivery hears it from the queue.
  const bool asks_for_word = std::ranges::any_of(transaction_->recipients(), [](const Accepted& accepted) {
    return (accepted.recipient.notify & mail::kNotifySuccess) != 0;
  });
  return settings_->path == Path::kAuto && !mail::IsParked(transaction_->cls()) && !asks_for_word &&
         transaction_->CommonPartition().has_value();
}

mffs::Stream Session::StreamOfMail() const {
  std::vector<std::string> accounts;
  for (const Accepted& accepted : transaction_->recipients()) accounts.push_back(accepted.account);
  return services_->store->StreamOfDelivery(accounts);
}

// Errors: there is no room for a mail of this class. BDAT has the refusal wait for the chunk's end.
base::Result<> Session::BeginBody(DataScanner::Framing framing) {
  transaction_->set_cls(services_->judge->ClassOf({connection_->peer().ip, helo_, account_, *transaction_}));
  const bool direct = takes_direct_path();
  if (direct && !digest_) digest_.emplace();
  body_.emplace(
      direct ? services_->store->NewBody(mffs::Need::kNew, StreamOfMail())
             : services_->queue->NewBody(transaction_->cls()),
      IncomingBody::Options{.framing = framing,
                            .bytes_max = settings_->message_bytes_max,
                            .normalize_line_ends = settings_->line_ends == LineEnds::kNormalize ||
                                                   settings_->normalize_clients.contains(connection_->peer().ip),
                            .digest = direct ? &*digest_ : nullptr,
                            .submission = FieldsForSubmission()});
  if (!mail::IsParked(transaction_->cls())) return {};  // Asked at MAIL.
  return services_->log->Admit(mffs::Stream::kParked, transaction_->from().size_bytes);
}

// What the client is told, counted.
Refusal Session::RefuseFor(const base::Error& error) {
  const SessionMetrics& metrics = services_->metrics;
  base::Counter* counter = metrics.refused_failed;
  if (error.code() == base::Errc::kNoSpace) counter = metrics.refused_no_space;
  if (error.code() == base::Errc::kReadOnly) counter = metrics.refused_read_only;
  if (error.code() == base::Errc::kBusy) counter = metrics.refused_busy;
  if (error.code() == base::Errc::kDenied) counter = metrics.refused_over_quota;
  if (counter != nullptr) counter->Add();
  const bool is_final = error.code() == base::Errc::kDenied && settings_->when_full == store::WhenFull::kReject;
  return is_final ? Refusal{552, "5.2.2 The mailbox is full"} : RefusalOf(error);
}

async::Task<base::Result<>> Session::ReceiveData() {
  const auto traced = co_await body_->WriteTrace(TraceHeader());
  if (!traced) {
    // Better said before the client has sent its bytes.
    const Refusal refusal = RefuseFor(traced.error());
    Reply(refusal.code, refusal.text);
    ResetTransaction();
    co_return base::Result<>();
  }
  Reply(354, "End data with <CR><LF>.<CR><LF>");
  if (input_.buffered().empty()) CO_RETURN_IF_ERROR(co_await Flush());
  for (bool at_end = false; !at_end;) {
    std::span<char> space = body_->Space();
    if (space.empty()) {
      co_await body_->Reserve();
      continue;
    }
    ASSIGN_OR_CO_RETURN(const std::size_t bytes, co_await ReadInto(space));
    DataScanner::Step step;
    if (body_->CanTakeAtOnce()) {
      // What follows the mail lies behind the kept bytes in the same space; Commit moves on, the bytes stay.
      step = body_->TakeAtOnce(bytes);
    } else {
      step = co_await body_->Take(bytes);
    }
    at_end = step.at_end;
    if (step.taken < bytes) {
      std::string rest(space.data() + step.taken, bytes - step.taken);
      rest.append(input_.buffered());
      input_.Clear();
      input_.PutBack(rest);
    }
  }
  co_await Complete();
  co_return base::Result<>();
}

async::Task<base::Result<>> Session::ReceiveChunk() {
  const bool in_order = !chunk_.malformed && transaction_ && !transaction_->recipients().empty();
  if (in_order && !body_) {
    base::Result<> begun = BeginBody(DataScanner::Framing::kChunk);
    if (begun) begun = co_await body_->WriteTrace(TraceHeader());
    if (!begun) body_->Refuse(RefuseFor(begun.error()));
    if (auto refusal = TakeFromAllowance()) body_->Refuse(*std::move(refusal));
  }
  std::vector<char> discarded(in_order ? 0 : 16u << 10);
  for (std::uint64_t left = chunk_.size_bytes; left > 0;) {
    std::span<char> space = in_order ? body_->Space() : std::span<char>(discarded);
    if (space.empty()) {
      co_await body_->Reserve();
      continue;
    }
    space = space.first(static_cast<std::size_t>(std::min<std::uint64_t>(space.size(), left)));
    ASSIGN_OR_CO_RETURN(const std::size_t bytes, co_await ReadInto(space));
    left -= bytes;
    if (in_order) co_await body_->Take(bytes);
  }
  if (chunk_.malformed) {
    // Whatever of the mail came before: it must not be ended without this chunk.
    ResetTransaction();
    Reply(501, "5.5.4 Say BDAT, a size, and LAST or nothing");
    bad_commands_ += 1;
  } else if (!in_order) {
    Reply(503, "5.5.1 Say MAIL and RCPT first");
  } else if (chunk_.last) {
    co_await Complete();
  } else if (body_->refusal()) {
    Reply(body_->refusal()->code, body_->refusal()->text);
    ResetTransaction();
  } else {
    Reply(250, fmt::format("2.0.0 {} bytes received", chunk_.size_bytes));
  }
  co_return base::Result<>();
}

// The next bytes: what is buffered first, then the connection.
async::Task<base::Result<std::size_t>> Session::ReadInto(std::span<char> space) {
  const std::string_view buffered = input_.buffered();
  if (!buffered.empty()) {
    const std::size_t bytes = std::min(buffered.size(), space.size());
    std::memcpy(space.data(), buffered.data(), bytes);
    input_.Consume(bytes);
    co_return bytes;
  }
  if (!out_.empty()) CO_RETURN_IF_ERROR(co_await Flush());
  connection_->SetDeadline(settings_->data_timeout);
  co_return co_await connection_->Read(space);
}

// All bytes are here: store them and answer.
async::Task<void> Session::Complete() {
  const base::SteadyTime began = services_->clock->SteadyNow();
  if (body_->has_bare_line_end()) body_->Refuse({550, "5.6.11 Lines must end in CRLF; this mail has a bare CR or LF"});
  base::Result<replog::Body> body = replog::Body();
  if (!body_->refusal()) {
    if (body_->is_small()) {
      body = body_->FinishSmall();
    } else {
      body = co_await body_->Finish();
    }
    if (body) {
      CheckHeader(body->head());
    } else {
      body_->Refuse(RefuseFor(body.error()));
    }
  }
  if (!body_->refusal()) {
    const auto stored = co_await Store(*std::move(body), began);
    if (!stored) {
      body_->Refuse(RefuseFor(stored.error()));
      LogNotStored(stored.error());
    }
  }
  const auto& metrics = services_->metrics;
  if (const auto& refusal = body_->refusal()) {
    base::Counter* const counter = refusal->code < 500 ? metrics.refused_temporary : metrics.refused_permanent;
    if (counter != nullptr) counter->Add();
    base::LogInfo("mail_refused", {{"id", transaction_->id()},
                                   {"from", transaction_->sender()},
                                   {"client", connection_->peer().ip},
                                   {"reply", fmt::format("{} {}", refusal->code, refusal->text)}});
    Reply(refusal->code, refusal->text);
  } else {
    if (metrics.bytes != nullptr) metrics.bytes->Add(body_->received_bytes());
    if (metrics.commit_seconds != nullptr) {
      metrics.commit_seconds->Observe(std::chrono::duration<double>(services_->clock->SteadyNow() - began).count());
    }
    Reply(250, fmt::format("2.0.0 Ok: {}", transaction_->id()));
  }
  ResetTransaction();
}

// Full, latched and busy volumes say so themselves, once: not once a mail.
void Session::LogNotStored(const base::Error& error) const {
  using base::Errc;
  if (error.code() == Errc::kNoSpace || error.code() == Errc::kReadOnly || error.code() == Errc::kBusy) return;
  if (error.code() == Errc::kDenied) return;  // Not ours to mend.
  base::LogError("mail_not_stored", {{"id", transaction_->id()}, {"reason", error.message()}});
}

// `head` are the first bytes of the mail, with our trace.
void Session::CheckHeader(std::string_view head) {
  const std::uint32_t hops = body_->header().received_count() + 1;  // Ours is counted too.
  if (hops > settings_->hops_max) body_->Refuse({554, "5.4.6 Too many hops: the mail goes in circles"});
  CheckAuthors();
  const std::string_view forwarder = transaction_->forwarded_from();
  if (forwarder.empty()) return;
  // We have sent it on from this address before: it came back.
  for (const std::string_view place : mail::FindHeaders(head.substr(body_->trace_bytes()), kDeliveredTo)) {
    if (!mail::EqualsIgnoreCase(mail::Trim(place), forwarder)) continue;
    body_->Refuse({554, "5.4.6 The mail has been forwarded from here already: it goes in circles"});
  }
}

async::Task<base::Result<>> Session::Store(replog::Body body, base::SteadyTime began) {
  const std::uint64_t size_bytes = body.size_bytes();
  std::string header;  // For the notice, which is written when the mail is stored.
  if (!transaction_->expanded().empty()) header = body.head().substr(0, mail::HeaderSize(body.head()));
  // One answer stands for all recipients: a mailbox that may be full is left to the queue, which has one for each.
  if (takes_direct_path() && IsFull(size_bytes)) co_return base::Error(base::Errc::kDenied, "the mailbox is full");
  const bool direct = takes_direct_path() && IsSureOfRoom(size_bytes);
  if (direct) {
    CO_RETURN_IF_ERROR(co_await DeliverDirectly(std::move(body)));
  } else {
    CO_RETURN_IF_ERROR(co_await EnqueueMail(std::move(body)));
  }
  if (!transaction_->expanded().empty()) {
    // The mail is stored, whatever becomes of the word about it.
    if (const auto told = co_await TellExpanded(std::move(header)); !told) {
      base::LogWarning("notice_not_queued", {{"id", transaction_->id()}, {"reason", told.error().message()}});
    }
  }
  base::Counter* const counter = direct ? services_->metrics.mails_direct : services_->metrics.mails_queued;
  if (counter != nullptr) counter->Add();
  base::LogInfo("mail_accepted", {{"id", transaction_->id()},
                                  {"from", transaction_->sender()},
                                  {"to", transaction_->recipients().front().recipient.address},
                                  {"recipients", transaction_->recipients().size()},
                                  {"size_bytes", size_bytes},
                                  {"client", connection_->peer().ip},
                                  {"helo", helo_},
                                  {"path", direct ? "direct" : "queue"}});
  if (direct) LogDirectDeliveries(began);
  co_return base::Result<>();
}

std::uint64_t Session::StoredBytes(const Accepted& accepted, std::uint64_t size_bytes) const {
  return size_bytes + mail::DeliveryPrefix(transaction_->return_path(), accepted.recipient.address).size();
}

// Of one recipient it can be said in the answer to the mail; of several the queue says it for each.
bool Session::IsFull(std::uint64_t size_bytes) const {
  const auto& recipients = transaction_->recipients();
  return recipients.size() == 1 &&
         !services_->store->HasRoom(recipients.front().account, StoredBytes(recipients.front(), size_bytes));
}

bool Session::IsSureOfRoom(std::uint64_t size_bytes) const {
  return std::ranges::all_of(transaction_->recipients(), [&](const Accepted& accepted) {
    return services_->store->SurelyHasRoom(accepted.account, StoredBytes(accepted, size_bytes));
  });
}

// As deliver::LogDelivery for mail that went through the queue.
void Session::LogDirectDeliveries(base::SteadyTime began) const {
  if (!base::LogEnabled(base::LogLevel::kInfo)) return;
  const std::chrono::duration<double> delay = services_->clock->SteadyNow() - began;
  for (const Accepted& accepted : transaction_->recipients()) {
    base::LogInfo("delivery", {{"id", transaction_->id()},
                               {"from", transaction_->sender()},
                               {"to", accepted.recipient.address},
                               {"relay", "local"},
                               {"delay", fmt::format("{:.2f}", delay.count())},
                               {"dsn", "2.0.0"},
                               {"status", "delivered"}});
  }
}

async::Task<base::Result<>> Session::DeliverDirectly(replog::Body body) {
  store::Delivery delivery;
  delivery.cls = transaction_->cls();
  delivery.internal_date = services_->clock->WallNow();
  // CLUSTER.md "Queue partitions": the id of a direct delivery is fixed at DATA, so that a client that lost our 250 and
  // sends again does not double a mail that names itself.
  const std::array<std::uint8_t, 16> content = digest_->Finish();
  for (const Accepted& accepted : transaction_->recipients()) {
    store::DeliveryTarget target;
    target.address = accepted.account;
    target.prefix = mail::DeliveryPrefix(transaction_->return_path(), accepted.recipient.address);
    if (body_->header().has_message_id()) {
      digest_->Update({reinterpret_cast<const char*>(content.data()), content.size()});
      digest_->Update(target.prefix);
      target.delivery_id.bytes = digest_->Finish();
    } else {
      base::StoreLe(target.delivery_id.bytes.data(), services_->random->Next());
      base::StoreLe(target.delivery_id.bytes.data() + 8, services_->random->Next());
    }
    delivery.targets.push_back(std::move(target));
  }
  delivery.origin = store::DeliveryOrigin{.mail_id = transaction_->id(),
                                          .client_ip = connection_->peer().ip,
                                          .helo = helo_,
                                          .auth_account = account_,
                                          .protocol = std::string(protocol())};
  delivery.body = std::move(body);
  const std::size_t targets = delivery.targets.size();
  ASSIGN_OR_CO_RETURN(const std::vector<std::size_t> full, co_await services_->store->Deliver(std::move(delivery)));
  if (full.empty()) co_return base::Result<>();
  // The others have got it, and are passed over when it comes again.
  if (full.size() < targets) co_return base::Error(base::Errc::kBusy, "a mailbox has become full");
  co_return base::Error(base::Errc::kDenied, "the mailbox is full");
}

async::Task<base::Result<>> Session::EnqueueMail(replog::Body body) {
  CO_RETURN_IF_ERROR(co_await services_->queue->Enqueue(MakeEnvelope(), std::move(body)));
  co_return base::Result<>();
}

mail::Envelope Session::MakeEnvelope() const {
  mail::Envelope envelope;
  envelope.id = transaction_->id();
  envelope.cls = transaction_->cls();
  envelope.sender = transaction_->return_path();
  envelope.smtputf8 = transaction_->from().smtputf8;
  envelope.body = transaction_->from().body;
  envelope.dsn_return = transaction_->from().dsn_return;
  envelope.envelope_id = transaction_->from().envelope_id;
  envelope.client_ip = connection_->peer().ip;
  envelope.helo = helo_;
  envelope.auth_account = account_;
  envelope.protocol = protocol();
  envelope.received = services_->clock->WallNow();
  for (const Accepted& accepted : transaction_->recipients()) envelope.recipients.push_back(accepted.recipient);
  return envelope;
}

std::string Session::TraceHeader() const {
  mail::Trace trace;
  trace.helo = helo_;
  trace.client_ip = connection_->peer().ip;
  trace.by = settings_->hostname;
  trace.protocol = protocol();
  trace.id = transaction_->id();
  const std::string_view forwarder = transaction_->forwarded_from();
  const auto& recipients = transaction_->recipients();
  if (!forwarder.empty()) {
    trace.recipient = forwarder;
  } else if (recipients.size() == 1) {
    trace.recipient = recipients.front().recipient.address;
  }
  trace.tls_version = connection_->tls().version;
  trace.tls_cipher = connection_->tls().cipher;
  trace.time = services_->clock->WallNow();
  std::string header;
  // By this field it is known again when the next server sends it back.
  if (!forwarder.empty()) header = fmt::format("{}: {}\r\n", kDeliveredTo, forwarder);
  header += mail::MakeReceived(trace);
  return header;
}

// RFC 3848, RFC 6531 §4.3.
std::string_view Session::protocol() const {
  if (!extended_) return "SMTP";
  const bool utf8 = transaction_ && transaction_->from().smtputf8;
  const bool tls = connection_->is_tls();
  if (!account_.empty()) return utf8 ? (tls ? "UTF8SMTPSA" : "UTF8SMTPA") : (tls ? "ESMTPSA" : "ESMTPA");
  return utf8 ? (tls ? "UTF8SMTPS" : "UTF8SMTP") : (tls ? "ESMTPS" : "ESMTP");
}

}  // namespace smtp
