// An mbox file as bytes from anywhere: places lie in it, in order, and a mail is read back as it is written.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "transfer/mail_target.h"
#include "transfer/mbox.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  transfer::MboxScanner scanner;
  const std::size_t cut = size / 3;
  scanner.Add(file.substr(0, cut));
  scanner.Add(file.substr(cut));
  scanner.Finish();
  std::uint64_t end = 0;
  for (const transfer::MboxPlace& place : scanner.Take()) {
    CHECK(place.offset >= end && place.offset + place.size_bytes <= size);
    end = place.offset + place.size_bytes;
    const auto mail =
        transfer::ParseMboxMail(file.substr(place.offset, place.size_bytes), transfer::MboxQuoting::kMboxrd);
    CHECK(mail.bytes.size() <= place.size_bytes);
    const std::string text = transfer::WithLineFeeds(mail.bytes);
    const std::string again =
        transfer::FormatMboxMail(text, place.date_us, {.flags = mail.flags, .uid = 5, .uidl = mail.uidl, .base = ""});
    transfer::MboxScanner second;
    second.Add(again);
    second.Finish();
    CHECK(!second.Take().empty());
  }
  return 0;
}
