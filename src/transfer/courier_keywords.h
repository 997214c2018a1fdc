// CourierKeywords: IMAP keywords of the mails of a Maildir as Courier keeps them, in its folder courierimapkeywords.
// Pure functions of hostile bytes.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace transfer {

// All by file name without flags (MaildirBaseName).
struct CourierKeywords {
  static constexpr std::string_view kFolder = "courierimapkeywords";
  static constexpr std::string_view kList = ":list";

  // From the list: the names of the keywords a line each, an empty line, then "<mail>:<number> <number>", which count
  // the names from 0. What cannot be read is left out.
  void AddList(std::string_view text);
  // From a file that Courier wrote when they changed: a keyword a line, to the first empty one. It counts in the place
  // of the list, where Courier brings it later; so an empty one means that the mail has none any more.
  void AddChange(const std::string& mail, std::string_view text);
  const std::vector<std::string>& Of(const std::string& mail) const;

 private:
  std::unordered_map<std::string, std::vector<std::string>> listed_;
  std::unordered_map<std::string, std::vector<std::string>> changed_;
};

// Of the names in that folder the file with the newest change of each mail: "<mail>", else ".<number>.<mail>" with the
// greatest number. Mail -> file.
std::map<std::string, std::string> NewestKeywordChanges(const std::vector<std::string>& names);

}  // namespace transfer
