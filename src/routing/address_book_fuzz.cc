// Hostile tables: whatever they hold, loading ends, every entry resolves within the limits, and no text of a problem
// can harm a terminal.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "routing/book_loader.h"

namespace {

// The tables stand behind each other, separated by 0xff, which is in no valid one.
std::string_view TakePart(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\xff'), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(rest.size(), end + 1));
  return part;
}

void CheckExpansion(const routing::Expansion& expansion, const routing::Limits& limits) {
  CHECK(expansion.destinations.size() <= limits.recipients_max);
  for (const routing::Destination& destination : expansion.destinations) CHECK(!destination.address.local.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  routing::Sources sources{.domains = {"d.test", "e.test"},
                           .domain_aliases = {"alias.test=d.test"},
                           .relay_domains = {"relay.test"},
                           .relay_recipient_files = {"recipients"},
                           .limits = {.line_bytes_max = 1000, .includes_max = 0, .depth_max = 5, .recipients_max = 10}};
  routing::Problems problems;
  routing::BookLoader loader(&sources, &problems);
  const std::string_view aliases = TakePart(rest);
  const std::string_view virtuals = TakePart(rest);
  const std::string_view senders = TakePart(rest);
  const auto book = loader.LoadText(aliases, virtuals, senders, TakePart(rest));
  CHECK((book == nullptr) == !problems.empty());
  for (const routing::Problem& problem : problems.kept()) {
    CHECK(std::ranges::none_of(problem.ToString(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
  }
  if (book == nullptr) return 0;
  loader.Audit(*book);
  for (const char* const name : {"a@d.test", "a+x@d.test", "b@alias.test", "c@relay.test", "d@remote.test"}) {
    const mail::Address address = *mail::Address::Parse(name);
    CheckExpansion(book->Resolve(address), sources.limits);
    CheckExpansion(book->ResolveUnknown(address), sources.limits);
    book->MaySendAs("a@d.test", address);
  }
  return 0;
}
