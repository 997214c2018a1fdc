#include "app/mffs_findings.h"

#include <utility>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "admin/json_values.h"
#include "app/commands_text.h"

namespace app {

namespace json = boost::json;

namespace {

json::object ToJson(const mffs::Finding& finding) {
  json::object out{{"severity", ToString(finding.severity)}, {"kind", finding.kind}};
  out["sentence"] = admin::JsonText(finding.sentence);
  if (finding.segment) out["segment"] = *finding.segment;
  if (finding.offset) out["offset"] = *finding.offset;
  if (finding.lsn) out["lsn"] = *finding.lsn;
  if (finding.partition) out["partition"] = *finding.partition;
  if (finding.index) out["index"] = *finding.index;
  if (finding.body) out["body"] = fmt::format("{:x}", *finding.body);
  return out;
}

}  // namespace

json::object FindingsToJson(const mffs::Findings& findings) {
  json::object out;
  for (const auto severity : {mffs::Severity::kDamage, mffs::Severity::kWarning, mffs::Severity::kNote}) {
    out[ToString(severity)] = findings.count(severity);
  }
  json::array list;
  for (const mffs::Finding& finding : findings.kept()) list.emplace_back(ToJson(finding));
  out["list"] = std::move(list);
  out["left_out"] = findings.left_out();
  return out;
}

void PrintFindings(const Invocation& invocation, const mffs::Findings& findings, bool with_notes) {
  for (const mffs::Finding& finding : findings.kept()) {
    if (finding.severity == mffs::Severity::kNote && !with_notes) continue;
    invocation.out() << ToString(finding.severity) << ": " << Printable(finding.sentence) << '\n';
  }
  if (findings.left_out() > 0) {
    invocation.out() << fmt::format("... and {} more like these\n", findings.left_out());
  }
}

}  // namespace app
