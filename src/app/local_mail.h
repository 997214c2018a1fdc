// LocalMail: a mail as a program of this machine writes it to `sendmail`, made fit for SMTP. Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "app/sendmail_options.h"
#include "base/clock.h"
#include "base/result.h"

namespace app {

// Who sends, and where and when.
struct LocalWriter {
  std::string login;      // "alice"
  std::string full_name;  // Of the user database; -F goes before it.
  std::uint32_t user_id = 0;
  std::string domain;    // Completes addresses without one.
  std::string hostname;  // For the trace field.
  base::WallTime now{};
  std::chrono::minutes zone{0};
  std::string unique;  // Makes the Message-ID unique.
};

struct LocalMail {
  std::string sender;                   // Empty: the null sender.
  std::vector<std::string> recipients;  // RFC 5321 form, each once.
  std::string message;                  // Every line ends in CRLF.
};

// Recipients are those of `options.recipients` and with -t those of To, Cc and Bcc (of Resent-To, -Cc and -Bcc when
// there is one of these). Bcc fields are taken out; From, Date and Message-ID are added where they are missing, and a
// trace field that tells the user id is put before all. Errors: kInvalid (an address is none), kNotFound (nobody is to
// get it).
base::Result<LocalMail> MakeLocalMail(std::string_view text, const SendmailOptions& options, const LocalWriter& writer);

}  // namespace app
