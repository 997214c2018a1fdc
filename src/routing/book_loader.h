// BookLoader: makes an AddressBook of the configuration and its files, and gathers what is wrong with them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "routing/address_book.h"

namespace routing {

// Used once. Blocks on its files.
class BookLoader {
 public:
  BookLoader(const Sources* sources, Problems* problems) : sources_(*sources), problems_(*problems) {}

  // Null when there are problems.
  std::unique_ptr<AddressBook> Load();
  // Adds what Load() does not look for: entries of the book it made that lead in circles, or too far.
  void Audit(const AddressBook& book) { book.AuditEntries(files_, &problems_); }

  // For the fuzz target: the text of a file instead of a file. Files that aliases include are read as ever: limits say
  // how many.
  std::unique_ptr<AddressBook> LoadText(std::string_view aliases, std::string_view virtuals, std::string_view senders,
                                        std::string_view recipients);

 private:
  struct Place {
    std::uint16_t file = 0;
    std::uint32_t line = 0;
  };
  // Reads one logical line without problems; errors are sentences.
  using TakeLine = base::Result<> (BookLoader::*)(std::string_view text, Place place);

  void LoadConfiguration();
  void AddDomainAlias(const std::string& text);
  void ReadFiles(const std::vector<std::string>& paths, TakeLine take);
  void ReadLines(std::string_view text, Place place, TakeLine take);
  base::Result<> TakeAlias(std::string_view text, Place place);
  base::Result<> TakeVirtual(std::string_view text, Place place);
  base::Result<> TakeCatchAll(std::string_view domain_text, std::string_view targets, Place place);
  base::Result<> TakeSender(std::string_view text, Place place);
  base::Result<> TakeRelayRecipient(std::string_view text, Place place);
  base::Result<> Include(const std::string& path, std::vector<Target>* targets);
  base::Result<> ExpandIncludes(std::vector<Target>* targets);
  base::Result<> Add(FlatTable* table, std::string_view key, std::string_view value, Place place);
  // A canonical address of a domain that is ours, or "@domain".
  base::Result<std::string> AddressOrDomain(std::string_view text) const;
  base::Result<> CheckIsOurs(std::string_view domain) const;
  std::uint16_t FileNumber(const std::string& path);
  std::unique_ptr<AddressBook> Finish();

  const Sources& sources_;
  Problems& problems_;
  std::unique_ptr<AddressBook> book_{new AddressBook()};
  std::vector<std::string> files_;  // The names that the origins of entries stand for.
  std::uint64_t entries_ = 0;
  std::uint32_t includes_ = 0;
};

}  // namespace routing
