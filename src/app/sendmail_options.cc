#include "app/sendmail_options.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace app {
namespace {

constexpr std::string_view kFlags = "intvmGUI";              // Letters without a value.
constexpr std::string_view kWithValue = "ABCFfhLNOoprRVXb";  // The rest of the argument, or the next one.
constexpr std::string_view kWithOptionalValue = "dqe";       // The rest of the argument, if any.

base::Error Usage(std::string sentence) {
  return base::Error(base::Errc::kInvalid, std::move(sentence));
}

// One pass over the arguments.
class Parser {
 public:
  explicit Parser(const std::vector<std::string>* arguments) : arguments_(*arguments) {}

  base::Result<SendmailOptions> Parse() {
    for (; at_ < arguments_.size(); ++at_) {
      const std::string& argument = arguments_[at_];
      if (argument == "--") {
        options_.recipients.insert(options_.recipients.end(), arguments_.begin() + static_cast<std::ptrdiff_t>(at_) + 1,
                                   arguments_.end());
        break;
      }
      if (argument.size() > 1 && argument.front() == '-') {
        RETURN_IF_ERROR(TakeLetters(argument));
      } else {
        options_.recipients.push_back(argument);
      }
    }
    return std::move(options_);
  }

 private:
  // "-ti", "-fyou@example.org", "-f you@example.org".
  base::Result<> TakeLetters(const std::string& argument) {
    for (std::size_t i = 1; i < argument.size(); ++i) {
      const char letter = argument[i];
      if (kFlags.contains(letter)) {
        TakeFlag(letter);
        continue;
      }
      if (kWithOptionalValue.contains(letter)) return letter == 'q' ? RefuseQueueRun() : base::Result<>();
      if (!kWithValue.contains(letter)) return Usage(fmt::format("sendmail has no option -{}", letter));
      std::string value = argument.substr(i + 1);
      if (value.empty()) {
        if (at_ + 1 == arguments_.size()) return Usage(fmt::format("the option -{} needs a value", letter));
        value = arguments_[++at_];
      }
      return TakeValue(letter, value);
    }
    return {};
  }

  void TakeFlag(char letter) {
    if (letter == 't') options_.recipients_in_header = true;
    if (letter == 'i') options_.dot_is_text = true;
    if (letter == 'I') options_.mode = SendmailOptions::Mode::kNewAliases;
  }

  base::Result<> TakeValue(char letter, const std::string& value) {
    if (letter == 'b') return TakeMode(value);
    if (letter == 'o' && value == "i") options_.dot_is_text = true;
    if (letter == 'C') options_.config = value;
    if (letter == 'F') options_.full_name = value;
    if (letter == 'f' || letter == 'r') options_.sender = value == "<>" ? "" : value;
    if (letter == 'N') return TakeNotify(value);
    if (letter == 'R') {
      if (value != "full" && value != "hdrs") return Usage("-R takes full or hdrs");
      options_.dsn_return = value == "full" ? "FULL" : "HDRS";
    }
    return {};
  }

  base::Result<> TakeNotify(std::string value) {
    std::ranges::transform(value, value.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    const std::string list = "," + value + ",";
    std::size_t known = 1;
    for (const std::string_view word : {"NEVER,", "SUCCESS,", "FAILURE,", "DELAY,"}) {
      if (list.contains("," + std::string(word))) known += word.size();
    }
    if (known != list.size()) return Usage("-N takes never, or a list of success, failure and delay");
    options_.notify = value;
    return {};
  }

  base::Result<> TakeMode(const std::string& value) {
    using Mode = SendmailOptions::Mode;
    constexpr std::pair<std::string_view, Mode> kModes[] = {
        {"m", Mode::kSubmit}, {"s", Mode::kSpeakSmtp}, {"p", Mode::kPrintQueue}, {"i", Mode::kNewAliases}};
    for (const auto& [letter, mode] : kModes) {
      if (value != letter) continue;
      options_.mode = mode;
      return {};
    }
    return Usage(fmt::format("sendmail has no mode -b{}; the node runs as `posthorn serve`", value));
  }

  static base::Result<> RefuseQueueRun() {
    return Usage("the node delivers its queue by itself; `posthorn queue requeue` tries a mail at once");
  }

  const std::vector<std::string>& arguments_;
  std::size_t at_ = 0;
  SendmailOptions options_;
};

}  // namespace

base::Result<SendmailOptions> SendmailOptions::Parse(const std::vector<std::string>& arguments) {
  return Parser(&arguments).Parse();
}

}  // namespace app
