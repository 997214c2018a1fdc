#include "salvage/rescue.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "mffs/image_device.h"
#include "mffs/image_geometry.h"
#include "salvage/body_source.h"
#include "salvage/mail_json.h"
#include "salvage/mail_state.h"
#include "salvage/rescue_folder.h"

namespace salvage {

namespace json = boost::json;

namespace {

constexpr std::size_t kHeadBytesMax = 16u << 10;  // Of a mail, looked at for its id.
constexpr std::uint64_t kMailsBetweenProgress = 64;
constexpr std::size_t kFindingsInReportMax = 1'000;

// A mail to be written.
struct Mail {
  std::string name;  // Of the file, without its ending.
  std::string prefix;
  BodyName body;
  json::object description;
  std::uint64_t* counter = nullptr;  // Of the report, if it is whole.
};

// One rescue; in the frame of Rescue. Thread: one shard.
class Job {
 public:
  Job(mffs::ImageDevice* device, RescueOptions options, mffs::Findings* findings)
      : device_(device),
        options_(std::move(options)),
        findings_(findings),
        records_({.records_max = options_.records_max, .findings = nullptr}) {}

  async::Task<base::Result<RescueReport>> Run(bool* has_begun) {
    ASSIGN_OR_CO_RETURN(mffs::FoundGeometry found, co_await mffs::FindGeometry(device_, mffs::kSurveyDeadline));
    geometry_ = found.geometry;
    report_.notes = std::move(found.notes);
    volume_ = fmt::format("{:08x}", mffs::VolumeSeed(geometry_.uuid));
    auto folder = RescueFolder::Open(options_.directory, volume_, options_.go_on);
    if (!folder.has_value()) co_return std::move(folder).error();
    folder_.emplace(*std::move(folder));
    *has_begun = true;
    CO_RETURN_IF_ERROR(co_await Scan());
    CO_RETURN_IF_ERROR(co_await LoadState());
    const mffs::RecordReader reader(device_, geometry_, mffs::kSurveyDeadline);
    const BodySource source(&reader, &records_);
    CO_RETURN_IF_ERROR(co_await WriteMailboxes(&source));
    CO_RETURN_IF_ERROR(co_await WriteQueues(&source));
    std::ranges::sort(placed_);
    CO_RETURN_IF_ERROR(co_await WriteOtherEntries(&reader, &source));
    CO_RETURN_IF_ERROR(co_await WriteOtherParts(&source));
    CO_RETURN_IF_ERROR(End());
    co_return std::move(report_);
  }

 private:
  using BodyKey = std::pair<std::uint32_t, std::uint64_t>;
  static BodyKey KeyOf(replog::PartitionId partition, replog::BodyId body) {
    return {(body.value() & replog::kPartsBodyBit) != 0 ? 0 : partition.value(), body.value()};
  }

  void Progress(std::string_view step, std::uint64_t done, std::uint64_t total) const {
    if (options_.progress) options_.progress(step, done, total);
  }

  async::Task<base::Result<>> Scan() {
    mffs::ImageScanOptions options;
    options.visit = [this](const mffs::SurveyedRecord& record) {
      records_.Add({.key = record.header.key,
                    .location = record.location,
                    .lsn = record.lsn,
                    .head = record.head,
                    .body = record.body,
                    .is_readable = record.body_is_readable,
                    .is_live = true,  // Which are, the logs tell better than a checkpoint that may be gone.
                    .is_copy = (record.header.flags & mffs::RecordHeader::kCopy) != 0});
    };
    options.progress = [this](std::uint64_t done, std::uint64_t total) { Progress("segments", done, total); };
    report_.scan = co_await mffs::ScanImage(device_, geometry_, std::move(options));
    co_return records_.Finish();
  }

  std::string IndexFolder() const { return (std::filesystem::path(options_.directory) / ".index").string(); }

  async::Task<base::Result<>> LoadState() {
    const mffs::RecordReader reader(device_, geometry_, mffs::kSurveyDeadline);
    MailStateOptions options{
        .index_folder = IndexFolder(),
        .segment_end_sector = geometry_.footer_sector(),
        .progress = [this](std::uint64_t done, std::uint64_t total) { Progress("logs", done, total); }};
    auto state = co_await MailState::Load(&reader, &records_, std::move(options), findings_);
    if (!state.has_value() && state.error().code() == base::Errc::kNoSpace) co_return folder_->NoRoom();
    if (!state.has_value()) co_return std::move(state).error();
    state_ = *std::move(state);
    co_return base::Result<>();
  }

  // ---- Mail whose place is known ----

  async::Task<base::Result<>> WriteMailboxes(const BodySource* source) {
    state_->mailboxes().Rewind();
    for (;;) {
      ASSIGN_OR_CO_RETURN(const auto found, state_->mailboxes().Next());
      if (!found.has_value()) co_return base::Result<>();
      const store::SalvagedMessage& message = *found;
      Mail mail{
          .name = fmt::format("mailbox/{:05}/{:08x}-{:08x}", message.partition.value(), message.mailbox, message.uid),
          .prefix = message.prefix,
          .body = {.partition = message.partition,
                   .body = replog::BodyId(message.body),
                   .size_bytes = message.size_bytes - std::min(message.size_bytes, message.prefix.size()),
                   .places = message.body_ref},
          .description = DescribeMailboxMail(message, state_->IsComplete(message.partition)),
          .counter = &report_.from_mailboxes};
      AddClass(&mail);
      placed_.push_back(KeyOf(message.partition, mail.body.body));
      CO_RETURN_IF_ERROR(co_await Write(source, std::move(mail)));
    }
  }

  void AddClass(Mail* mail) const {
    const replog::BodyId body = mail->body.body;
    const bool in_parts = (body.value() & replog::kPartsBodyBit) != 0;
    const EntryPlace* const entry =
        in_parts ? records_.FindEntryOfParts(body) : records_.FindMail(mail->body.partition, body, {});
    if (entry != nullptr) mail->description["class"] = mail::ToString(entry->cls);
  }

  async::Task<base::Result<>> WriteQueues(const BodySource* source) {
    replog::PartitionId partition;
    replog::Index after;
    for (;;) {
      const auto next = state_->queues().Next(partition, after);
      if (!next.has_value()) co_return base::Result<>();
      partition = next->first;
      const queue::SavedMail& mail = next->second;
      after = mail.index;
      placed_.push_back(KeyOf(partition, mail.body.id));
      CO_RETURN_IF_ERROR(
          co_await Write(source, {.name = fmt::format("queue/{}", queue::QueueId{partition, after}.ToString()),
                                  .prefix = {},
                                  .body = {.partition = partition,
                                           .body = mail.body.id,
                                           .size_bytes = mail.body.size_bytes,
                                           .places = mail.body},
                                  .description = DescribeQueuedMail(partition, mail),
                                  .counter = &report_.from_queue}));
    }
  }

  // ---- Mail that no state names ----

  bool IsPlaced(replog::PartitionId partition, replog::BodyId body) const {
    return std::ranges::binary_search(placed_, KeyOf(partition, body));
  }

  // The folder for it; nothing: it is not written.
  std::optional<std::string> FolderFor(bool is_deleted) {
    if (!is_deleted) return "unplaced";
    if (options_.with_deleted) return "deleted";
    ++report_.deleted_left_out;
    return std::nullopt;
  }

  async::Task<base::Result<>> WriteOtherEntries(const mffs::RecordReader* reader, const BodySource* source) {
    const EntryPlace* last = nullptr;
    for (const EntryPlace& entry : records_.entries()) {
      if (!entry.has_mail || IsPlaced(entry.partition, entry.body)) continue;
      // Other places and other epochs of the same entry.
      if (last != nullptr && last->partition == entry.partition && last->index == entry.index) continue;
      last = &entry;
      const bool is_deleted = state_->WasGivenUp(entry.partition, entry.body) ||
                              (state_->IsComplete(entry.partition) && state_->IsReached(entry));
      const auto folder = FolderFor(is_deleted);
      if (!folder.has_value()) continue;
      auto record = co_await reader->Read(entry.place);
      CO_RETURN_IF_ERROR(co_await WriteEntry(source, entry, *folder, record.has_value() ? &*record : nullptr));
    }
    co_return base::Result<>();
  }

  async::Task<base::Result<>> WriteEntry(const BodySource* source, EntryPlace entry, std::string folder,
                                         const mffs::Record* record) {
    const std::string head_bytes(record != nullptr ? std::string_view(record->head)
                                                   : records_.HeadOf(entry).value_or(""));
    const auto head = replog::EntryHead::Decode(head_bytes);
    std::string meta;
    BodyName body{.partition = entry.partition, .body = entry.body, .size_bytes = entry.mail_bytes, .places = {}};
    if (head.has_value()) meta = head->meta;
    if (head.has_value() && record != nullptr) {
      if (head->meta_in_body() && record->body.size() >= head->meta_bytes) {
        meta = record->body.substr(record->body.size() - head->meta_bytes);
      }
      const auto extents = replog::DecodeExtents(record->body, head->parts);
      for (std::size_t i = 0; extents.has_value() && i < extents->size(); ++i) {
        body.places.extents.push_back((*extents)[i].location);
        body.places.extent_bytes.push_back((*extents)[i].bytes);
      }
    }
    Mail mail{.name = fmt::format("{}/{:05}-{:016x}", folder, entry.partition.value(), entry.index.value()),
              .prefix = PrefixOfEntry(entry, meta),
              .body = std::move(body),
              .description = DescribeEntry(entry, meta),
              .counter = folder == "deleted" ? &report_.deleted : &report_.unplaced};
    if (entry.in_parts) written_parts_.push_back(entry.body);
    co_return co_await Write(source, std::move(mail));
  }

  async::Task<base::Result<>> WriteOtherParts(const BodySource* source) {
    std::ranges::sort(written_parts_);
    replog::BodyId last;
    for (const PartPlace& part : records_.parts()) {
      if (part.body == last) continue;
      last = part.body;
      const bool is_known = IsPlaced({}, part.body) || std::ranges::binary_search(written_parts_, part.body) ||
                            records_.FindEntryOfParts(part.body) != nullptr;
      if (is_known) continue;
      // Not accepted in the end, or the entry was given up with its mail, unless something of the logs is missing.
      const auto folder = FolderFor(state_->AllComplete() || state_->WasGivenUp({}, part.body));
      if (!folder.has_value()) continue;
      CO_RETURN_IF_ERROR(
          co_await Write(source, {.name = fmt::format("{}/parts-{:016x}", *folder, part.body.value()),
                                  .prefix = {},
                                  .body = {.partition = {}, .body = part.body, .size_bytes = 0, .places = {}},
                                  .description = DescribeParts(part.body),
                                  .counter = *folder == "deleted" ? &report_.deleted : &report_.unplaced}));
    }
    co_return base::Result<>();
  }

  // ---- Files ----

  async::Task<base::Result<>> Write(const BodySource* source, Mail mail) {
    const RescueFolder::Written before = folder_->IsWritten(mail.name);
    if (before != RescueFolder::Written::kNo) {
      ++report_.already_there;
      ++*(before == RescueFolder::Written::kWhole ? mail.counter : &report_.damaged);
      co_return base::Result<>();
    }
    CO_RETURN_IF_ERROR(folder_->Begin(mail.name));
    CO_RETURN_IF_ERROR(folder_->Write(mail.prefix));
    const BodyLayout layout = source->LayoutOf(mail.body);
    std::string head;
    json::array missing;
    std::uint64_t next = 0;
    for (const BodyPiece& piece : layout.pieces) {
      const std::vector<BodyBytes> found = co_await source->Read(mail.body.body, piece);
      for (const BodyBytes& bytes : found) {
        AddMissing(&missing, next, bytes.offset);
        next = bytes.offset + bytes.bytes.size();
        report_.bytes += bytes.bytes.size();
        if (head.size() < kHeadBytesMax) head.append(bytes.bytes, 0, kHeadBytesMax - head.size());
        CO_RETURN_IF_ERROR(folder_->Write(bytes.bytes));
      }
    }
    AddMissing(&missing, next, layout.size_bytes);
    const bool is_whole = missing.empty() && layout.size_is_known;
    AddOwnWords(&mail.description, head);
    mail.description["size"] = mail.prefix.size() + layout.size_bytes;
    mail.description["complete"] = is_whole;
    if (!missing.empty()) mail.description["missing"] = std::move(missing);
    if (!layout.size_is_known) mail.description["end_may_be_missing"] = true;
    ++*(is_whole ? mail.counter : &report_.damaged);
    CO_RETURN_IF_ERROR(folder_->End(is_whole, json::serialize(mail.description) + "\n"));
    if (++written_ % kMailsBetweenProgress == 0) Progress("mails", written_, 0);
    co_return base::Result<>();
  }

  // Bytes of the body, as offsets and sizes: the file has what lies before and behind them, joined.
  static void AddMissing(json::array* missing, std::uint64_t from, std::uint64_t to) {
    if (from < to) missing->push_back(json::object{{"offset", from}, {"bytes", to - from}});
  }

  base::Result<> End() {
    Progress("mails", written_, written_);
    state_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(IndexFolder(), ignored);
    findings_->Sort();
    json::array sentences;
    for (const mffs::Finding& finding : findings_->kept()) {
      if (sentences.size() < kFindingsInReportMax) sentences.emplace_back(JsonText(finding.sentence));
    }
    json::object out{{"volume", volume_}, {"state", "done"}, {"image", JsonText(device_->name())}};
    out["from_mailboxes"] = report_.from_mailboxes;
    out["from_queue"] = report_.from_queue;
    out["unplaced"] = report_.unplaced;
    out["damaged"] = report_.damaged;
    out["deleted"] = report_.deleted;
    out["findings"] = std::move(sentences);
    // All mails have their names before the report says that it is done.
    RETURN_IF_ERROR(folder_->Sync());
    RETURN_IF_ERROR(folder_->WriteReport(json::serialize(out)));
    return folder_->Sync();
  }

  mffs::ImageDevice* device_;
  RescueOptions options_;
  mffs::Findings* findings_;
  LogRecords records_;
  RescueReport report_;
  mffs::Geometry geometry_;
  std::string volume_;
  std::optional<RescueFolder> folder_;
  std::unique_ptr<MailState> state_;
  std::vector<BodyKey> placed_;
  std::vector<replog::BodyId> written_parts_;
  std::uint64_t written_ = 0;
};

}  // namespace

async::Task<base::Result<RescueReport>> Rescue(mffs::BlockDevice* device, RescueOptions options,
                                               mffs::Findings* findings, bool* has_begun) {
  mffs::ImageDevice image(co_await asio::this_coro::executor, device);
  Job job(&image, std::move(options), findings);
  co_return co_await job.Run(has_begun);
}

}  // namespace salvage
