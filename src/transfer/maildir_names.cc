#include "transfer/maildir_names.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "imap/proto/mailbox_name.h"

namespace transfer {

using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::pair<char, std::string_view> kLetters[] = {{'D', "\\Draft"},    {'F', "\\Flagged"}, {'P', "$Forwarded"},
                                                          {'R', "\\Answered"}, {'S', "\\Seen"},    {'T', "\\Deleted"}};
constexpr std::string_view kDot = "&AC4-";

std::vector<std::string_view> SplitLevels(std::string_view name, char separator) {
  std::vector<std::string_view> levels;
  for (;;) {
    const std::size_t at = name.find(separator);
    levels.push_back(name.substr(0, at));
    if (at == std::string_view::npos) return levels;
    name.remove_prefix(at + 1);
  }
}

std::string Replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (std::size_t at = text.find(from); at != std::string_view::npos; at = text.find(from)) {
    out.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
  }
  return out.append(text);
}

}  // namespace

std::string_view MaildirBaseName(std::string_view file_name) {
  return file_name.substr(0, file_name.find(':'));
}

std::vector<std::string> FlagsOfFileName(std::string_view file_name, const std::vector<std::string>& keywords) {
  std::vector<std::string> flags;
  const std::size_t at = file_name.find(":2,");
  if (at == std::string_view::npos) return flags;
  for (const char letter : file_name.substr(at + 3)) {
    std::string flag;
    for (const auto& [known, name] : kLetters) {
      if (letter == known) flag = name;
    }
    const auto position = static_cast<std::size_t>(letter - 'a');
    if (letter >= 'a' && letter <= 'z' && position < keywords.size()) flag = keywords[position];
    if (!flag.empty() && std::ranges::find(flags, flag) == flags.end()) flags.push_back(std::move(flag));
  }
  return flags;
}

std::string FlagSuffix(const std::vector<std::string>& flags, const std::vector<std::string>& keywords,
                       std::uint64_t* lost) {
  std::string letters;
  for (const std::string& flag : flags) {
    const auto known = std::ranges::find(kLetters, flag, &std::pair<char, std::string_view>::second);
    const auto keyword = std::ranges::find(keywords, flag);
    if (known != std::end(kLetters)) {
      letters.push_back(known->first);
    } else if (keyword != keywords.end() && keyword - keywords.begin() < 26) {
      letters.push_back(static_cast<char>('a' + (keyword - keywords.begin())));
    } else {
      *lost += 1;
    }
  }
  std::ranges::sort(letters);
  return ":2," + letters;
}

Result<std::string> DecodeLevel(std::string_view level) {
  if (level.empty()) return Error(Errc::kInvalid, "a level of the name is empty");
  const std::string with_dots = Replaced(level, kDot, ".");
  auto decoded = imap::DecodeMailboxName(with_dots);
  // Servers that keep names in UTF-8 (Dovecot's UTF-8 option) write no '&' in front of anything but itself.
  if (!decoded.has_value()) decoded = with_dots;
  if (decoded->contains('/')) return Error(Errc::kInvalid, "a level of the name has a '/' in it");
  return decoded;
}

std::string EncodeLevel(std::string_view level) {
  return Replaced(imap::EncodeMailboxName(level), ".", kDot);
}

Result<std::string> MailboxOfFolder(std::string_view folder, MaildirLayout layout) {
  if (folder.empty()) return std::string("INBOX");
  const bool is_flat = layout == MaildirLayout::kMaildirPlusPlus;
  if (is_flat) folder.remove_prefix(1);
  std::string name;
  for (const std::string_view level : SplitLevels(folder, is_flat ? '.' : '/')) {
    auto decoded = DecodeLevel(level);
    if (!decoded.has_value()) return decoded;
    if (!name.empty()) name.push_back('/');
    name += *decoded;
  }
  auto checked = imap::CheckMailboxName(name);
  if (!checked.has_value()) return std::move(checked).error();
  return name;
}

Result<std::string> FolderOfMailbox(std::string_view mailbox, MaildirLayout layout) {
  if (mailbox == "INBOX") return std::string();
  const bool is_flat = layout == MaildirLayout::kMaildirPlusPlus;
  std::string folder;
  for (const std::string_view level : SplitLevels(mailbox, '/')) {
    if (!is_flat && (level == "cur" || level == "new" || level == "tmp")) {
      return Error(Errc::kInvalid, fmt::format("\"{}\" cannot be a directory beside a Maildir's own; export it with "
                                               "--layout maildir++",
                                               mailbox));
    }
    if (is_flat) folder.push_back('.');
    if (!is_flat && !folder.empty()) folder.push_back('/');
    folder += EncodeLevel(level);
  }
  return folder;
}

}  // namespace transfer
