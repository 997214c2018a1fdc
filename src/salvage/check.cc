#include "salvage/check.h"

#include <utility>

#include <fmt/format.h>

#include "mffs/image_device.h"
#include "mffs/segment_survey.h"
#include "salvage/body_source.h"
#include "salvage/mail_state.h"

namespace salvage {
namespace {

constexpr std::uint64_t kMailsBetweenProgress = 1'000;

// One check; in the frame of CheckMail. Thread: one shard.
struct Job {
  mffs::BlockDevice* device;
  MailCheckOptions options;
  mffs::Findings* findings;
  LogRecords records;
  MailCheck result;
  std::unique_ptr<MailState> state;

  void Progress(std::string_view step, std::uint64_t done, std::uint64_t total) const {
    if (options.progress) options.progress(step, done, total);
  }
};

// Where the mail is, in the words of those who look for it.
struct Place {
  replog::PartitionId partition;
  std::string text;
};

void CheckBody(Job* job, const BodySource& source, const BodyName& name, const Place& place) {
  const BodyLayout layout = source.LayoutOf(name);
  const bool is_readable = layout.IsReadable();
  if (is_readable && layout.IsLive()) return;
  ++job->result.mails_damaged;
  const std::string sentence =
      is_readable ? fmt::format(
                        "{}: its record is marked as no longer needed, so its space may be given to other mail: "
                        "save it with `posthorn mffs rescue` before the node is started",
                        place.text)
                  : fmt::format(
                        "{}: {}; save what is left of it with `posthorn mffs rescue`, or restore the volume from "
                        "a copy",
                        place.text, layout.Problem());
  mffs::Finding finding{.severity = mffs::Severity::kDamage, .kind = "mail", .sentence = sentence};
  finding.partition = place.partition.value();
  finding.body = name.body.value();
  for (const BodyPiece& piece : layout.pieces) {
    if (piece.is_readable && piece.is_live) continue;
    if (!piece.place.has_value()) break;
    finding.segment = piece.place->segment;
    finding.offset = job->result.volume.geometry.SegmentOffset(piece.place->segment) + piece.place->offset;
    break;
  }
  job->findings->Add(std::move(finding));
}

base::Result<> CheckMailboxes(Job* job, const BodySource& source) {
  job->state->mailboxes().Rewind();
  for (;;) {
    ASSIGN_OR_RETURN(const auto message, job->state->mailboxes().Next());
    if (!message.has_value()) return {};
    if (++job->result.mails_in_mailboxes % kMailsBetweenProgress == 0) {
      job->Progress("mails", job->result.mails_in_mailboxes, 0);
    }
    if (message->body == 0) continue;
    const BodyName name{.partition = message->partition,
                        .body = replog::BodyId(message->body),
                        .size_bytes = message->size_bytes - message->prefix.size(),
                        .places = message->body_ref};
    const std::string account = message->address.empty() ? "an account that is not known" : message->address;
    CheckBody(
        job, source, name,
        {message->partition, fmt::format("mail with UID {} in mailbox {} of {} (body {:x} of {})", message->uid,
                                         message->mailbox_name, account, message->body, NameOf(message->partition))});
  }
}

void CheckQueues(Job* job, const BodySource& source) {
  replog::PartitionId partition;
  replog::Index after;
  for (;;) {
    const auto next = job->state->queues().Next(partition, after);
    if (!next.has_value()) return;
    const auto& [of, mail] = *next;
    partition = of;
    after = mail.index;
    ++job->result.mails_in_queue;
    if (mail.body.empty()) continue;
    const queue::QueueId id{of, mail.index};
    CheckBody(job, source,
              {.partition = of, .body = mail.body.id, .size_bytes = mail.body.size_bytes, .places = mail.body},
              {of, fmt::format("queued mail {} from <{}>", id.ToString(), mail.envelope.sender)});
  }
}

async::Task<base::Result<>> CheckLogs(Job* job) {
  const mffs::Geometry geometry = job->result.volume.geometry;
  CO_RETURN_IF_ERROR(job->records.Finish());
  MailStateOptions options{
      .index_folder = job->options.scratch_folder,
      .segment_end_sector = geometry.footer_sector(),
      .progress = [job](std::uint64_t done, std::uint64_t total) { job->Progress("logs", done, total); }};
  // Before its first checkpoint the log has no state yet, and no snapshot.
  options.owner_state.emplace();
  if (!job->result.volume.owner_state.empty()) {
    auto owner_state = replog::OwnerState::Decode(job->result.volume.owner_state);
    if (!owner_state.has_value()) co_return std::move(owner_state).error();
    options.owner_state = *std::move(owner_state);
  }
  const mffs::RecordReader reader(job->device, geometry, mffs::kSurveyDeadline);
  ASSIGN_OR_CO_RETURN(job->state, co_await MailState::Load(&reader, &job->records, std::move(options), job->findings));
  job->result.log_entries = job->state->entries_replayed();
  const BodySource source(&reader, &job->records);
  CO_RETURN_IF_ERROR(CheckMailboxes(job, source));
  CheckQueues(job, source);
  job->state.reset();
  co_return base::Result<>();
}

}  // namespace

async::Task<base::Result<MailCheck>> CheckMail(mffs::BlockDevice* device, MailCheckOptions options,
                                               mffs::Findings* findings) {
  const std::uint64_t records_max = options.records_max;
  mffs::ImageDevice image(co_await asio::this_coro::executor, device);
  Job job{.device = &image,
          .options = std::move(options),
          .findings = findings,
          .records = LogRecords({.records_max = records_max, .findings = findings}),
          .result = {},
          .state = nullptr};
  mffs::VolumeCheckOptions volume_options;
  volume_options.visit = [&job](const mffs::CheckedRecord& record) { job.records.Add(record); };
  volume_options.progress = [&job](std::uint64_t done, std::uint64_t total) { job.Progress("blocks", done, total); };
  ASSIGN_OR_CO_RETURN(job.result.volume, co_await mffs::CheckVolume(&image, std::move(volume_options), findings));
  CO_RETURN_IF_ERROR(co_await CheckLogs(&job));
  co_return std::move(job.result);
}

}  // namespace salvage
