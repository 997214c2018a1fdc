#include "history/finder.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <ranges>
#include <span>
#include <utility>

#include "base/bytes.h"
#include "mail/ascii.h"

namespace history {
namespace {

constexpr std::uint32_t kEventBytesFirst = 512;  // Most events are shorter.
constexpr std::size_t kReadsAtOnce = 128;
constexpr std::size_t kRunsAtOnce = 16;
constexpr std::ptrdiff_t kChunkKeys = 8'192;
constexpr std::uint32_t kReadsMax = 3;  // Of a record that cleaning moves meanwhile.

// "@example.org", or an address.
bool Matches(std::string_view address, std::string_view sought) {
  if (sought.starts_with('@')) return mail::EqualsIgnoreCase(DomainOf(address), sought.substr(1));
  return mail::EqualsIgnoreCase(address, sought == "<>" ? std::string_view() : sought);
}

bool IsTo(const Arrival& arrival, std::string_view sought) {
  return std::ranges::any_of(arrival.recipients, [sought](const Arrival::Recipient& recipient) {
    return Matches(recipient.address, sought) ||
           (!recipient.original.empty() && Matches(WithoutType(recipient.original), sought));
  });
}

std::uint32_t HashOfSender(std::string_view sought) {
  if (sought.starts_with('@')) return HashOf(KeyKind::kSenderDomain, sought.substr(1));
  return HashOf(KeyKind::kSender, sought == "<>" ? std::string_view() : sought);
}

std::uint32_t HashOfRecipient(std::string_view sought) {
  if (sought.starts_with('@')) return HashOf(KeyKind::kRecipientDomain, sought.substr(1));
  return HashOf(KeyKind::kRecipient, sought);
}

}  // namespace

async::Task<base::Result<FoundMails>> Finder::Find(Query query) {
  co_await keeper_->AwaitKeys();
  const auto shared = std::make_shared<const Sought>(Prepare(std::move(query)));
  const Sought& sought = *shared;
  std::vector<RunNumber> runs;
  for (const auto& [number, run] : directory_->runs() | std::views::reverse) runs.push_back(number);
  std::vector<Hit> hits;
  const std::size_t hits_max = std::size_t{sought.query.limit} + 1;
  // The newest alone, since it may be enough; then more and more at once.
  std::size_t count = 1;
  for (std::size_t at = 0; at < runs.size() && hits.size() < hits_max;
       at += count, count = std::min(count * 4, kRunsAtOnce)) {
    const auto begin = runs.begin() + static_cast<std::ptrdiff_t>(at);
    const std::vector<RunNumber> some(begin, begin + static_cast<std::ptrdiff_t>(std::min(count, runs.size() - at)));
    ASSIGN_OR_CO_RETURN(auto positions, co_await PositionsOfAll(some, shared));
    for (std::size_t i = 0; i < some.size() && hits.size() < hits_max; ++i) {
      CO_RETURN_IF_ERROR(co_await SearchRun(some[i], &sought, std::move(positions[i]), hits_max, &hits));
    }
  }
  FoundMails found;
  found.has_more = hits.size() > sought.query.limit;
  if (found.has_more) hits.pop_back();
  ASSIGN_OR_CO_RETURN(found.mails, co_await FollowAll(std::move(hits)));
  if (found.mails.empty() && sought.queue_id.has_value()) {
    // Its arrival is too old to be kept; what came later may be there.
    TracedMail rest;
    for (const RunNumber run : runs | std::views::reverse) {
      CO_RETURN_IF_ERROR(co_await FollowIn(run, *sought.queue_id, std::nullopt, &rest));
    }
    if (!rest.events.empty()) found.mails.push_back(std::move(rest));
  }
  co_return found;
}

Finder::Sought Finder::Prepare(Query query) {
  Sought sought;
  if (!query.id.empty()) {
    sought.queue_id = queue::QueueId::Parse(query.id);
    sought.hashes.push_back({sought.queue_id ? HashOf(*sought.queue_id) : HashOf(KeyKind::kMailId, query.id)});
  }
  if (!query.address.empty()) sought.hashes.push_back({HashOfSender(query.address), HashOfRecipient(query.address)});
  if (!query.from.empty()) sought.hashes.push_back({HashOfSender(query.from)});
  if (!query.to.empty()) sought.hashes.push_back({HashOfRecipient(query.to)});
  sought.query = std::move(query);
  return sought;
}

bool Finder::IsSought(const Sought& sought, const Event& event) {
  const Arrival* const arrival = event.arrival();
  if (arrival == nullptr) return false;
  const Query& query = sought.query;
  if (sought.queue_id.has_value() && event.QueueIdOf() != sought.queue_id) return false;
  if (!query.id.empty() && !sought.queue_id && !mail::EqualsIgnoreCase(arrival->mail_id, query.id)) return false;
  if (!query.address.empty() && !Matches(arrival->sender, query.address) && !IsTo(*arrival, query.address))
    return false;
  if (!query.from.empty() && !Matches(arrival->sender, query.from)) return false;
  if (!query.to.empty() && !IsTo(*arrival, query.to)) return false;
  return (!query.since || event.time >= *query.since) && (!query.until || event.time < *query.until);
}

bool Finder::IsInTime(const Query& query, const EventRecord& record) {
  return (!query.since || record.newest >= *query.since) && (!query.until || record.oldest < *query.until);
}

async::Task<base::Result<>> Finder::SearchRun(RunNumber number, const Sought* sought, std::vector<Position> positions,
                                              std::size_t hits_max, std::vector<Hit>* hits) {
  const Run* const run = directory_->Find(number);
  const auto may_match = [sought](const EventRecord& record) {
    return record.IsThere() && IsInTime(sought->query, record);
  };
  // Given up meanwhile, or all of it at another time.
  if (run == nullptr || std::ranges::none_of(run->records, may_match)) co_return base::Result<>();
  if (sought->hashes.empty()) co_return co_await WalkRun(number, sought, hits_max, hits);
  for (std::size_t at = positions.size(); at > 0 && hits->size() < hits_max;) {
    std::vector<Position> batch;
    const std::size_t batch_max = std::min(kReadsAtOnce, hits_max - hits->size());
    while (at > 0 && batch.size() < batch_max) {
      const Position position = positions[--at];
      const EventRecord* const record = directory_->FindRecord(number, SlotOf(position));
      if (record != nullptr && may_match(*record)) batch.push_back(position);
    }
    std::vector<std::optional<Event>> events = co_await ReadAll(number, batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!events[i].has_value() || !IsSought(*sought, *events[i])) continue;
      // Twice: a crash came between two events of an entry.
      if (!hits->empty() && hits->back().event == *events[i]) continue;
      hits->push_back({.event = *std::move(events[i]), .run = number, .position = batch[i]});
    }
  }
  co_return base::Result<>();
}

// Without words to look for: all that came in the time.
async::Task<base::Result<>> Finder::WalkRun(RunNumber number, const Sought* sought, std::size_t hits_max,
                                            std::vector<Hit>* hits) {
  for (Slot slot = static_cast<Slot>(directory_->Find(number)->records.size()); slot > 0 && hits->size() < hits_max;) {
    const EventRecord* const record = directory_->FindRecord(number, --slot);
    if (record == nullptr || !record->IsThere() || !IsInTime(sought->query, *record)) continue;
    const std::uint32_t size = record->text != nullptr ? mffs::kBodyBytesMax : record->event_bytes;
    base::Result<std::string> bytes = co_await ReadEvents(number, slot, 0, size);
    if (!bytes.has_value()) continue;
    std::vector<Hit> in_record;
    base::Ignore(ForEachEvent(*bytes, [&](std::string_view event_bytes, std::uint32_t offset) {
      auto event = Event::Decode(event_bytes);
      if (!event.has_value() || !IsSought(*sought, *event)) return;
      in_record.push_back({.event = *std::move(event), .run = number, .position = PositionOf(slot, offset)});
    }));
    for (Hit& hit : in_record | std::views::reverse) {
      if (hits->size() < hits_max) hits->push_back(std::move(hit));
    }
  }
  co_return base::Result<>();
}

// ---- The index ----

async::Task<base::Result<std::vector<std::vector<Position>>>> Finder::PositionsOfAll(
    std::vector<RunNumber> runs, std::shared_ptr<const Sought> sought) {
  const auto reads = std::make_shared<PositionReads>(executor_, runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i) reads_.Spawn(PositionsOfOne(runs[i], i, sought, reads));
  while (reads->left > 0 && !reads_.stopping()) co_await reads->ended.Wait();
  if (reads->error.has_value()) co_return std::move(*reads->error);
  co_return std::move(reads->positions);
}

async::Task<void> Finder::PositionsOfOne(RunNumber number, std::size_t i, std::shared_ptr<const Sought> sought,
                                         std::shared_ptr<PositionReads> reads) {
  const Run* const run = directory_->Find(number);
  const bool may_match = run != nullptr && std::ranges::any_of(run->records, [&](const EventRecord& record) {
                           return record.IsThere() && IsInTime(sought->query, record);
                         });
  if (may_match) {
    base::Result<std::vector<Position>> positions = co_await PositionsOf(number, sought.get());
    if (positions.has_value()) {
      reads->positions[i] = *std::move(positions);
    } else {
      reads->error = positions.error();
    }
  }
  if (--reads->left == 0) reads->ended.NotifyAll();
}

async::Task<base::Result<std::vector<Position>>> Finder::PositionsOf(RunNumber number, const Sought* sought) {
  std::vector<Position> common;
  for (std::size_t i = 0; i < sought->hashes.size(); ++i) {
    std::vector<Position> any;
    for (const std::uint32_t hash : sought->hashes[i]) {
      base::Result<std::vector<Position>> some = co_await PositionsOf(number, hash);
      if (!some.has_value() && some.error().code() == base::Errc::kCorrupt) {
        keeper_->Rebuild(number);
        co_await keeper_->AwaitKeys();
        some = co_await PositionsOf(number, hash);
      }
      CO_RETURN_IF_ERROR(some);
      std::vector<Position> both;
      std::ranges::set_union(any, *some, std::back_inserter(both));
      any = std::move(both);
    }
    if (i == 0) {
      common = std::move(any);
    } else {
      std::vector<Position> both;
      std::ranges::set_intersection(common, any, std::back_inserter(both));
      common = std::move(both);
    }
    if (common.empty()) break;
  }
  co_return common;
}

async::Task<base::Result<std::vector<Position>>> Finder::PositionsOf(RunNumber number, std::uint32_t hash) {
  std::vector<Position> positions;
  const Run* const run = directory_->Find(number);
  if (run == nullptr) co_return positions;
  if (!run->has_index()) co_return co_await PositionsInMemory(number, hash);
  const std::uint32_t keys = run->key_count;
  ASSIGN_OR_CO_RETURN(const auto fences, co_await FencesOf(number));
  // From the last block that begins before the hash to the last that begins with it.
  const auto lower = std::ranges::lower_bound(*fences, hash);
  const auto upper = std::ranges::upper_bound(*fences, hash);
  const auto first_block = static_cast<std::uint32_t>(std::max<std::ptrdiff_t>(lower - fences->begin() - 1, 0));
  const auto end_block = static_cast<std::uint32_t>(upper - fences->begin());
  std::uint32_t at = first_block * kKeysPerFence;
  const std::uint32_t end = std::min(end_block * kKeysPerFence, keys);
  while (at < end) {
    const std::uint32_t part_end = std::min(end, (at / kKeysPerPart + 1) * kKeysPerPart);
    ASSIGN_OR_CO_RETURN(
        const std::string bytes,
        co_await ReadPart(number, at / kKeysPerPart, static_cast<std::uint32_t>((at % kKeysPerPart) * sizeof(Key)),
                          static_cast<std::uint32_t>((part_end - at) * sizeof(Key))));
    for (std::size_t i = 0; i + sizeof(Key) <= bytes.size(); i += sizeof(Key)) {
      const Key key = base::LoadLe<Key>(bytes.data() + i);
      if (HashIn(key) == hash) positions.push_back(PositionIn(key));
    }
    at = part_end;
  }
  co_return positions;
}

// Keys that come in are only appended. Who searches puts them in order, a chunk at a time, and lets others run between.
async::Task<std::vector<Position>> Finder::PositionsInMemory(RunNumber number, std::uint32_t hash) {
  Run* run = directory_->Find(number);
  while (run != nullptr && run->sorted_keys + kChunkKeys <= run->keys.size()) {
    const auto begin = run->keys.begin() + static_cast<std::ptrdiff_t>(run->sorted_keys);
    std::sort(begin, begin + kChunkKeys);
    run->sorted_keys += kChunkKeys;
    co_await asio::post(co_await asio::this_coro::executor, async::use_task);
    run = directory_->Find(number);
  }
  std::vector<Position> positions;
  if (run == nullptr) co_return positions;
  for (std::size_t at = 0; at < run->sorted_keys; at += kChunkKeys) {
    const std::span<const Key> chunk(run->keys.data() + at, kChunkKeys);
    for (const Key key : std::ranges::equal_range(chunk, hash, {}, HashIn)) positions.push_back(PositionIn(key));
  }
  for (const Key key : std::span(run->keys).subspan(run->sorted_keys)) {
    if (HashIn(key) == hash) positions.push_back(PositionIn(key));
  }
  std::ranges::sort(positions);
  co_return positions;
}

async::Task<base::Result<std::shared_ptr<const std::vector<std::uint32_t>>>> Finder::FencesOf(RunNumber number) {
  const Run* const run = directory_->Find(number);
  if (run != nullptr && run->fences != nullptr) co_return run->fences;
  const std::uint32_t count = run == nullptr ? 0 : (run->key_count + kKeysPerFence - 1) / kKeysPerFence;
  const std::size_t part = run == nullptr ? 0 : run->parts.size() - 1;
  auto fences = std::make_shared<std::vector<std::uint32_t>>(count);
  if (count > 0) {
    ASSIGN_OR_CO_RETURN(const std::string bytes, co_await ReadPart(number, part, 0, count * 4));
    if (bytes.size() != std::size_t{count} * 4) {
      co_return base::Error(base::Errc::kCorrupt, "the index of a run of the history is too short");
    }
    std::memcpy(fences->data(), bytes.data(), bytes.size());
  }
  if (Run* const again = directory_->Find(number); again != nullptr && again->has_index()) again->fences = fences;
  co_return std::shared_ptr<const std::vector<std::uint32_t>>(std::move(fences));
}

async::Task<base::Result<std::string>> Finder::ReadPart(RunNumber number, std::size_t part, std::uint32_t offset,
                                                        std::uint32_t size) {
  base::Result<std::string> read = base::Error(base::Errc::kNotFound, "the run of the history is gone");
  for (std::uint32_t i = 0; i < kReadsMax; ++i) {
    const Run* const run = directory_->Find(number);
    if (run == nullptr || part >= run->parts.size()) co_return std::string();
    read = co_await pieces_->Read(run->parts[part], IndexHead::kEncodedSize, offset, size);
    if (read.has_value() || read.error().code() != base::Errc::kNotFound) break;
  }
  co_return read;
}

// ---- Events ----

async::Task<std::optional<Event>> Finder::ReadEvent(RunNumber number, Position position) {
  base::Result<std::string> bytes = co_await ReadEvents(number, SlotOf(position), OffsetOf(position), kEventBytesFirst);
  if (!bytes.has_value()) co_return std::nullopt;
  base::Decoder in(*bytes);
  const std::uint64_t size = in.Varint();
  const std::uint64_t needed = bytes->size() - in.remaining() + size;
  if (!in.ok() || needed > mffs::kBodyBytesMax) co_return std::nullopt;
  if (size > in.remaining()) {
    bytes = co_await ReadEvents(number, SlotOf(position), OffsetOf(position), static_cast<std::uint32_t>(needed));
    if (!bytes.has_value()) co_return std::nullopt;
    in = base::Decoder(*bytes);
    in.Varint();
  }
  auto event = Event::Decode(in.Raw(size));
  if (!event.has_value()) co_return std::nullopt;
  co_return *std::move(event);
}

async::Task<base::Result<std::string>> Finder::ReadEvents(RunNumber number, Slot slot, std::uint32_t offset,
                                                          std::uint32_t size) {
  base::Result<std::string> read = base::Error(base::Errc::kNotFound, "the record of the history is gone");
  for (std::uint32_t i = 0; i < kReadsMax; ++i) {
    const EventRecord* const record = directory_->FindRecord(number, slot);
    if (record == nullptr) break;
    if (record->text != nullptr) {
      co_return record->text->substr(std::min<std::size_t>(offset, record->text->size()), size);
    }
    read = co_await pieces_->Read(record->place, EventsHead::kEncodedSize, offset, size);
    if (read.has_value() || read.error().code() != base::Errc::kNotFound) break;
  }
  co_return read;
}

async::Task<std::vector<std::optional<Event>>> Finder::ReadAll(RunNumber number, std::vector<Position> positions) {
  const auto reads = std::make_shared<EventReads>(executor_, positions.size());
  for (std::size_t i = 0; i < positions.size(); ++i) reads_.Spawn(ReadOne(number, positions[i], i, reads));
  while (reads->left > 0 && !reads_.stopping()) co_await reads->ended.Wait();
  co_return std::move(reads->events);
}

async::Task<void> Finder::ReadOne(RunNumber number, Position position, std::size_t i,
                                  std::shared_ptr<EventReads> reads) {
  std::optional<Event> event = co_await ReadEvent(number, position);
  reads->events[i] = std::move(event);
  if (--reads->left == 0) reads->ended.NotifyAll();
}

async::Task<base::Result<std::vector<TracedMail>>> Finder::FollowAll(std::vector<Hit> hits) {
  const auto follows = std::make_shared<Follows>(executor_, hits.size());
  for (std::size_t i = 0; i < hits.size(); ++i) reads_.Spawn(FollowOne(std::move(hits[i]), i, follows));
  while (follows->left > 0 && !reads_.stopping()) co_await follows->ended.Wait();
  if (reads_.stopping()) co_return base::Error(base::Errc::kClosed, "the node is being stopped");
  if (follows->error.has_value()) co_return std::move(*follows->error);
  co_return std::move(follows->mails);
}

async::Task<void> Finder::FollowOne(Hit hit, std::size_t i, std::shared_ptr<Follows> follows) {
  base::Result<TracedMail> mail = co_await Follow(std::move(hit));
  if (mail.has_value()) {
    follows->mails[i] = *std::move(mail);
  } else {
    follows->error = mail.error();
  }
  if (--follows->left == 0) follows->ended.NotifyAll();
}

async::Task<base::Result<TracedMail>> Finder::Follow(Hit hit) {
  TracedMail mail;
  const std::optional<queue::QueueId> id = hit.event.QueueIdOf();
  mail.arrival = std::move(hit.event);
  if (!id.has_value()) co_return mail;
  std::vector<RunNumber> runs;
  for (const auto& [number, run] : directory_->runs()) {
    if (number >= hit.run) runs.push_back(number);
  }
  for (const RunNumber run : runs) {
    const std::optional<Position> after = run == hit.run ? std::optional(hit.position) : std::nullopt;
    CO_RETURN_IF_ERROR(co_await FollowIn(run, *id, after, &mail));
    if (mail.has_more_events || IsOver(mail)) break;
  }
  co_return mail;
}

async::Task<base::Result<>> Finder::FollowIn(RunNumber number, queue::QueueId id, std::optional<Position> after,
                                             TracedMail* mail) {
  ASSIGN_OR_CO_RETURN(const std::vector<Position> positions, co_await PositionsOf(number, HashOf(id)));
  for (const Position position : positions) {
    if (after.has_value() && position <= *after) continue;
    std::optional<Event> event = co_await ReadEvent(number, position);
    if (!event.has_value() || event->arrival() != nullptr || event->QueueIdOf() != id) continue;
    if (!mail->events.empty() && mail->events.back() == *event) continue;
    mail->has_more_events = mail->events.size() == kEventsMax;
    if (mail->has_more_events) break;
    mail->events.push_back(*std::move(event));
  }
  co_return base::Result<>();
}

bool IsOver(const TracedMail& mail) {
  std::set<std::uint32_t> over;
  for (const Event& event : mail.events) {
    if (const auto* const control = std::get_if<Control>(&event.what); control != nullptr) {
      if (control->operation == queue::Operation::kRemove) return true;
      continue;
    }
    for (const Outcome::Recipient& recipient : std::get<Outcome>(event.what).recipients) {
      if (queue::IsOver(recipient.state)) over.insert(recipient.recipient);
    }
  }
  const Arrival* const arrival = mail.arrival.has_value() ? mail.arrival->arrival() : nullptr;
  return arrival != nullptr && over.size() >= arrival->recipients.size();
}

}  // namespace history
