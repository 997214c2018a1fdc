#include "app/mffs_dump.h"

#include <algorithm>
#include <utility>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "admin/json_values.h"
#include "app/commands_text.h"
#include "app/mffs_image.h"
#include "app/mffs_info.h"
#include "app/progress_bar.h"
#include "base/clock.h"
#include "salvage/dump.h"

namespace app {

namespace json = boost::json;

namespace {

constexpr std::size_t kHeadShownMax = 256;
constexpr std::size_t kBodyShownMax = 64;
constexpr int kExitNotDumped = 2;

std::string Hex(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

std::string_view LifeOf(const salvage::DumpedRecord& record) {
  if (!record.is_live.has_value()) return "live or dead: not known";
  return *record.is_live ? "live" : "dead";
}

std::string FlagsOf(const mffs::BlockHeader& header) {
  std::string text;
  if ((header.flags & mffs::BlockHeader::kCovering) != 0) text += ", covering";
  if ((header.flags & mffs::BlockHeader::kRewritten) != 0) text += ", rewritten";
  return text;
}

// ---- Text ----

void PrintSuperblocks(const Invocation& invocation, const salvage::Dump& dump) {
  const mffs::Geometry& geometry = dump.geometry.geometry;
  invocation.out() << fmt::format(
      "volume     {} segments of {}, {}\n", geometry.segment_count, ReadableBytes(geometry.segment_bytes),
      dump.geometry.from_segments ? "as the segment headers tell" : mffs::ToString(geometry.uuid));
  for (std::size_t i = 0; i < dump.superblocks.size(); ++i) {
    const mffs::SuperblockCopy& copy = dump.superblocks[i];
    invocation.out() << fmt::format("superblock {} at {}: ", i, copy.offset);
    if (!copy.superblock.has_value()) {
      invocation.out() << Printable(copy.problem) << '\n';
      continue;
    }
    const mffs::CheckpointRef& newest = copy.superblock->newest;
    invocation.out() << fmt::format("sequence {}, checkpoint of LSN {} in segment {} offset {}, durable up to {}\n",
                                    copy.superblock->sequence, newest.base_lsn.value(), newest.root.segment,
                                    newest.root.offset, newest.durable_lsn.value());
  }
}

void PrintSegment(const Invocation& invocation, const salvage::DumpedSegment& segment) {
  invocation.out() << fmt::format("segment    {} at {}: generation {}", segment.number, segment.offset,
                                  segment.generation);
  if (segment.header.has_value()) {
    invocation.out() << fmt::format(", stream {}, first LSN {}", ToString(segment.header->stream),
                                    segment.header->first_lsn.value());
  } else {
    invocation.out() << (segment.generation == 0 ? ", never used or its start is damaged" : ", ITS HEADER IS DAMAGED");
  }
  invocation.out() << '\n';
  if (segment.in_table.has_value()) {
    const mffs::Segment& known = *segment.in_table;
    invocation.out() << fmt::format("table      generation {}, {}, {} of {} records live, {} live\n", known.generation,
                                    ToString(known.state), known.live.live(), known.live.count(),
                                    ReadableBytes(known.live_bytes));
  }
  if (segment.footer.has_value()) {
    invocation.out() << fmt::format("footer     {} records, LSN {} to {}, blocks end at sector {}{}\n",
                                    segment.footer->records, segment.footer->first_lsn.value(),
                                    segment.footer->last_lsn.value(), segment.footer->end_sector,
                                    segment.footer->summary_sector == 0 ? "" : ", has a summary");
  }
}

void PrintBlock(const Invocation& invocation, const salvage::DumpedBlock& block) {
  const std::string place = fmt::format("segment {} sectors {} to {}", block.segment, block.first_sector,
                                        block.first_sector + block.sector_count - 1);
  if (!block.header.has_value()) {
    invocation.out() << fmt::format("DAMAGED    {}: no block header is valid here\n", place);
    return;
  }
  const mffs::BlockHeader& header = *block.header;
  invocation.out() << fmt::format(
      "block      LSN {} in {}, generation {}, stream {}: {} records from ordinal {}, durable before it {}, mount from "
      "{} (cut {}){}{}\n",
      header.lsn.value(), place, header.generation, ToString(header.stream), header.record_count, header.first_ordinal,
      header.commit_lsn.value(), header.mount_first.value(), header.mount_cut.value(), FlagsOf(header),
      block.bad_sectors > 0 ? fmt::format(", {} SECTORS DAMAGED", block.bad_sectors) : "");
}

void PrintRecord(const Invocation& invocation, const salvage::DumpedRecord& record) {
  const mffs::Location& at = record.location;
  invocation.out() << fmt::format(
      "record     LSN {}, segment {} generation {} offset {}, {} bytes, ordinal {}{}: {}{}{}\n", record.lsn.value(),
      at.segment, at.generation, at.offset, at.size, at.ordinal,
      record.stream.has_value() ? fmt::format(", stream {}", ToString(*record.stream)) : "", LifeOf(record),
      record.is_copy ? ", a copy made by the cleaner" : "", record.is_readable ? "" : ", DAMAGED");
  invocation.out() << "           " << Printable(record.meaning) << '\n';
  if (!record.head.empty()) {
    invocation.out() << fmt::format("           head, {} bytes\n", record.head.size())
                     << HexLines(record.head.substr(0, kHeadShownMax), record.head.size(), "             ");
  }
  if (record.body_bytes > 0) {
    invocation.out() << fmt::format("           body, {} bytes\n", record.body_bytes)
                     << HexLines(record.body_start.substr(0, kBodyShownMax), record.body_bytes, "             ");
  }
}

void PrintDump(const Invocation& invocation, const salvage::Dump& dump, bool with_superblocks) {
  if (with_superblocks) PrintSuperblocks(invocation, dump);
  if (dump.segment.has_value()) PrintSegment(invocation, *dump.segment);
  for (const salvage::DumpedBlock& block : dump.blocks) PrintBlock(invocation, block);
  for (const salvage::DumpedRecord& record : dump.records) PrintRecord(invocation, record);
  if (dump.left_out > 0) {
    invocation.out() << fmt::format("... and {} blocks and records more; --limit shows them\n", dump.left_out);
  }
  for (const std::string& note : dump.notes) invocation.out() << "note: " << Printable(note) << '\n';
}

// ---- JSON ----

json::object ToJson(const salvage::DumpedRecord& record) {
  json::object out{{"lsn", record.lsn.value()},
                   {"segment", record.location.segment},
                   {"generation", record.location.generation},
                   {"offset", record.location.offset},
                   {"size", record.location.size},
                   {"ordinal", record.location.ordinal},
                   {"type", record.key.type},
                   {"partition", record.key.partition},
                   {"epoch", record.key.epoch},
                   {"index", record.key.index},
                   {"copy", record.is_copy},
                   {"readable", record.is_readable}};
  if (record.stream.has_value()) out["stream"] = ToString(*record.stream);
  if (record.is_live.has_value()) out["live"] = *record.is_live;
  out["meaning"] = admin::JsonText(record.meaning);
  out["head"] = Hex(record.head);
  out["body_bytes"] = record.body_bytes;
  out["body_start"] = Hex(record.body_start);
  return out;
}

json::object ToJson(const salvage::DumpedBlock& block) {
  json::object out{{"segment", block.segment},
                   {"first_sector", block.first_sector},
                   {"sectors", block.sector_count},
                   {"bad_sectors", block.bad_sectors}};
  if (!block.header.has_value()) return out;
  const mffs::BlockHeader& header = *block.header;
  out["lsn"] = header.lsn.value();
  out["generation"] = header.generation;
  out["stream"] = ToString(header.stream);
  out["records"] = header.record_count;
  out["first_ordinal"] = header.first_ordinal;
  out["commit_lsn"] = header.commit_lsn.value();
  out["mount_first"] = header.mount_first.value();
  out["mount_cut"] = header.mount_cut.value();
  out["covering"] = (header.flags & mffs::BlockHeader::kCovering) != 0;
  out["rewritten"] = (header.flags & mffs::BlockHeader::kRewritten) != 0;
  return out;
}

json::object ToJson(const salvage::DumpedSegment& segment) {
  json::object out{{"segment", segment.number}, {"offset", segment.offset}, {"generation", segment.generation}};
  if (segment.header.has_value()) {
    out["stream"] = ToString(segment.header->stream);
    out["first_lsn"] = segment.header->first_lsn.value();
  }
  if (segment.in_table.has_value()) {
    out["table"] = {{"generation", segment.in_table->generation},
                    {"state", ToString(segment.in_table->state)},
                    {"records", segment.in_table->live.count()},
                    {"live_records", segment.in_table->live.live()},
                    {"live_bytes", segment.in_table->live_bytes}};
  }
  if (segment.footer.has_value()) {
    out["footer"] = {{"records", segment.footer->records},
                     {"first_lsn", segment.footer->first_lsn.value()},
                     {"last_lsn", segment.footer->last_lsn.value()},
                     {"end_sector", segment.footer->end_sector},
                     {"summary_sector", segment.footer->summary_sector}};
  }
  return out;
}

json::object ToJson(const mffs::SuperblockCopy& copy) {
  json::object out{{"offset", copy.offset}, {"valid", copy.superblock.has_value()}};
  if (!copy.superblock.has_value()) {
    out["problem"] = admin::JsonText(copy.problem);
    return out;
  }
  out["sequence"] = copy.superblock->sequence;
  out["base_lsn"] = copy.superblock->newest.base_lsn.value();
  out["durable_lsn"] = copy.superblock->newest.durable_lsn.value();
  out["root_segment"] = copy.superblock->newest.root.segment;
  out["root_offset"] = copy.superblock->newest.root.offset;
  return out;
}

template <class T>
json::array ToJsonArray(const std::vector<T>& items) {
  json::array out;
  out.reserve(items.size());
  for (const T& item : items) out.emplace_back(ToJson(item));
  return out;
}

json::object ToJson(const salvage::Dump& dump) {
  json::object out{{"segments", dump.geometry.geometry.segment_count},
                   {"segment_bytes", dump.geometry.geometry.segment_bytes},
                   {"geometry_from_segments", dump.geometry.from_segments}};
  out["superblocks"] = ToJsonArray(dump.superblocks);
  if (dump.segment.has_value()) out["segment"] = ToJson(*dump.segment);
  out["blocks"] = ToJsonArray(dump.blocks);
  out["records"] = ToJsonArray(dump.records);
  out["left_out"] = dump.left_out;
  json::array notes;
  for (const std::string& note : dump.notes) notes.emplace_back(admin::JsonText(note));
  out["notes"] = std::move(notes);
  return out;
}

salvage::DumpTarget TargetOf(const MffsDumpOptions& options) {
  if (options.lsn.has_value()) return salvage::DumpOfLsn{mffs::Lsn(*options.lsn)};
  if (options.segment.has_value()) return salvage::DumpOfSegment{*options.segment};
  if (!options.mail.empty()) return salvage::DumpOfMail{options.mail};
  return salvage::DumpSuperblocks{};
}

bool IsDamaged(const salvage::Dump& dump) {
  return std::ranges::any_of(dump.records, [](const salvage::DumpedRecord& record) { return !record.is_readable; }) ||
         std::ranges::any_of(dump.blocks, [](const salvage::DumpedBlock& block) {
           return block.bad_sectors > 0 || !block.header.has_value();
         });
}

}  // namespace

std::string HexLines(std::string_view bytes, std::uint64_t bytes_total, std::string_view indent) {
  constexpr std::size_t kPerLine = 16;
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += kPerLine) {
    const std::string_view line = bytes.substr(at, kPerLine);
    std::string hex;
    std::string letters;
    for (const char c : line) {
      hex += fmt::format("{:02x} ", static_cast<unsigned char>(c));
      letters += c >= 0x20 && c < 0x7f ? c : '.';
    }
    text += fmt::format("{}{:04x}  {:<48} {}\n", indent, at, hex, letters);
  }
  if (bytes.size() < bytes_total) text += fmt::format("{}...   {} bytes more\n", indent, bytes_total - bytes.size());
  return text;
}

int MffsDump(const Invocation& invocation, const MffsDumpOptions& options) {
  const base::SystemClock clock;
  ProgressBar bar(invocation.terminal().err, StyleFor(invocation.terminal().err, false), &clock);
  const salvage::DumpTarget target = TargetOf(options);
  bool is_open = false;
  auto dump = WithImage<salvage::Dump>(options.path, [&](mffs::BlockDevice* device) {
    is_open = true;
    salvage::DumpOptions with{.items_max = options.limit};
    with.progress = [&bar](std::uint64_t done, std::uint64_t total) {
      bar.Update("records", ProgressUnit::kThings, done, total);
    };
    return salvage::DumpVolume(device, target, std::move(with));
  });
  bar.Finish();
  if (!dump.has_value()) {
    const bool is_missing = is_open && dump.error().code() == base::Errc::kNotFound;
    invocation.Fail(std::move(dump).error());
    return is_missing ? kExitFailed : kExitNotDumped;
  }
  if (invocation.is_json()) {
    invocation.PrintJson(ToJson(*dump));
  } else {
    PrintDump(invocation, *dump, std::holds_alternative<salvage::DumpSuperblocks>(target));
  }
  return IsDamaged(*dump) ? kExitFailed : kExitOk;
}

void AddMffsDump(CLI::App* group, Invocation* invocation, MffsDumpOptions* options) {
  CLI::App* const dump =
      group->add_subcommand("dump", "Show what lies at one place of a volume, or the life of one mail; writes nothing");
  dump->add_option("PATH", options->path, "File or block device, or a copy of one")->required()->type_name("");
  CLI::Option* const lsn =
      dump->add_option("--lsn", options->lsn, "The block with this LSN and its records")->type_name("N");
  CLI::Option* const segment =
      dump->add_option("--segment", options->segment, "One segment: its blocks and records")->type_name("N");
  CLI::Option* const mail = dump->add_option("--mail", options->mail,
                                             "Everything that names a mail: its id in the queue (80000000-7), or 16 "
                                             "hexadecimal digits from its Received field, or of its body")
                                ->type_name("ID");
  lsn->excludes(segment)->excludes(mail);
  segment->excludes(mail);
  dump->add_option("--limit", options->limit, "Blocks and records to show")->type_name("COUNT")->capture_default_str();
  dump->footer(
      "Exit codes: 0 shown, 1 what is shown is damaged or is not there, 2 could not be read.\n"
      "Examples:\n  posthorn mffs dump /var/lib/posthorn/volume.mffs\n"
      "  posthorn mffs dump /var/lib/posthorn/volume.mffs --mail 80000000-7\n"
      "  posthorn mffs dump /dev/sdb --segment 12 --json");
  invocation->SetAction(dump, [invocation, options] { return MffsDump(*invocation, *options); });
}

}  // namespace app
