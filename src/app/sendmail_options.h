// SendmailOptions: the command line of `sendmail`, as every program that sends mail on a Unix machine writes it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace app {

// Exit codes of sysexits.h, which callers of sendmail look at.
inline constexpr int kExUsage = 64;
inline constexpr int kExDataErr = 65;
inline constexpr int kExNoUser = 67;
inline constexpr int kExUnavailable = 69;
inline constexpr int kExIoErr = 74;
inline constexpr int kExTempFail = 75;
inline constexpr int kExNoPerm = 77;
inline constexpr int kExConfig = 78;

struct SendmailOptions {
  enum class Mode : std::uint8_t {
    kSubmit,      // -bm
    kSpeakSmtp,   // -bs
    kPrintQueue,  // -bp
    kNewAliases,  // -bi, -I
  };
  Mode mode = Mode::kSubmit;
  bool recipients_in_header = false;  // -t
  bool dot_is_text = false;           // -i, -oi: a line with a dot alone does not end the mail.
  std::optional<std::string> sender;  // -f, -r; empty or "<>": nobody gets a bounce.
  std::string full_name;              // -F
  std::string config;                 // -C
  std::string notify;                 // -N: NOTIFY= of RFC 3461.
  std::string dsn_return;             // -R: RET=.
  std::vector<std::string> recipients;

  // Options that change nothing here are taken and ignored, as all replacements of sendmail do. Errors: kInvalid.
  static base::Result<SendmailOptions> Parse(const std::vector<std::string>& arguments);
};

}  // namespace app
