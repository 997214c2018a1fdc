// Lists beside a Maildir, as bytes from anywhere. The first byte chooses the list.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "transfer/courier_keywords.h"
#include "transfer/maildir_names.h"
#include "transfer/uid_list.h"

namespace {

void TryUidList(std::string_view text) {
  const auto list = transfer::ParseUidList(text);
  if (!list.has_value()) return;
  CHECK(list->uid_validity != 0);
  CHECK(list->faults.size() <= transfer::kFaultsMax);
  for (const auto& [name, entry] : list->by_name) {
    CHECK(!name.empty() && entry.uid != 0 && entry.uid < list->uid_next && entry.uidl.size() <= 70);
  }
}

void TryFolder(std::string_view text, transfer::MaildirLayout layout) {
  if (text.empty() || text.front() != '.') return;
  const auto mailbox = transfer::MailboxOfFolder(text, layout);
  if (!mailbox.has_value()) return;
  const auto folder = transfer::FolderOfMailbox(*mailbox, layout);
  if (!folder.has_value()) return;
  CHECK(transfer::MailboxOfFolder(*folder, layout).has_value() || folder->empty());
}

void TryCourierKeywords(std::string_view text) {
  transfer::CourierKeywords keywords;
  keywords.AddList(text);
  keywords.AddChange("a", text);
  for (const std::string& keyword : keywords.Of("a")) CHECK(!keyword.empty() && !keyword.contains('\n'));
  for (const auto& [mail, file] : transfer::NewestKeywordChanges({std::string(text)})) CHECK(!mail.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      TryUidList(text);
      break;
    case 1:
      for (const auto& [name, uidl] : transfer::ParseCourierUidls(text)) CHECK(!uidl.empty() && uidl.size() <= 70);
      break;
    case 2:
      CHECK(transfer::ParseKeywordList(text).size() <= 26);
      break;
    case 3:
      (void)transfer::ParseSubscriptions(text, '.');
      break;
    case 4:
      TryFolder(text, transfer::MaildirLayout::kMaildirPlusPlus);
      break;
    case 5:
      TryCourierKeywords(text);
      break;
    default:
      break;
  }
  return 0;
}
