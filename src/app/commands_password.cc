#include "app/commands_password.h"

#include <cstdio>
#include <memory>

#include <termios.h>
#include <unistd.h>

namespace app {

using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kPasswordBytesMax = 511;  // libcrypt's limit.

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// The terminal itself, wherever the standard streams lead.
File OpenTerminal() {
  File file(std::fopen("/dev/tty", "r+e"));
  return file;
}

// Switches the echo of a terminal off for its lifetime.
class NoEcho {
 public:
  explicit NoEcho(int descriptor) : descriptor_(descriptor) {
    if (::tcgetattr(descriptor_, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_off_ = ::tcsetattr(descriptor_, TCSAFLUSH, &quiet) == 0;
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;
  ~NoEcho() {
    if (is_off_) ::tcsetattr(descriptor_, TCSAFLUSH, &before_);
  }
  bool is_off() const { return is_off_; }

 private:
  int descriptor_;
  termios before_{};
  bool is_off_ = false;
};

std::string AskLine(std::FILE* terminal, const std::string& question) {
  std::fputs(question.c_str(), terminal);
  std::fflush(terminal);
  std::string line;
  for (int c = std::fgetc(terminal); c != EOF && c != '\n'; c = std::fgetc(terminal)) {
    if (line.size() <= kPasswordBytesMax) line.push_back(static_cast<char>(c));
  }
  // A stream that was read must be positioned before it is written (C11 §7.21.5.3).
  std::fseek(terminal, 0, SEEK_CUR);
  return line;
}

Result<std::string> CheckPassword(std::string password) {
  if (password.empty()) return Error(Errc::kInvalid, "the password is empty; give one of 1 to 511 bytes");
  if (password.size() > kPasswordBytesMax) {
    return Error(Errc::kInvalid, "the password is too long; give one of 1 to 511 bytes");
  }
  return password;
}

}  // namespace

Result<std::string> ReadPasswordLine(std::istream* in) {
  std::string line;
  for (char c = 0; line.size() <= kPasswordBytesMax && in->get(c) && c != '\n';) line.push_back(c);
  if (line.ends_with('\r')) line.pop_back();
  return CheckPassword(std::move(line));
}

Result<std::string> AskForPassword(const std::string& address) {
  const File terminal = OpenTerminal();
  if (terminal == nullptr) {
    return Error(Errc::kInvalid, "there is no terminal to ask for the password on; give it with --password-stdin");
  }
  const NoEcho no_echo(::fileno(terminal.get()));
  if (!no_echo.is_off()) {
    return Error(Errc::kInvalid, "the terminal would show the password; give it with --password-stdin");
  }
  const std::string first = AskLine(terminal.get(), "Password for " + address + ": ");
  const std::string second = AskLine(terminal.get(), "\nThe same again: ");
  std::fputs("\n", terminal.get());
  if (first != second) return Error(Errc::kInvalid, "the two passwords differ; nothing was changed, try again");
  return CheckPassword(first);
}

Result<std::string> AskForPasswordOnce(const std::string& user) {
  const File terminal = OpenTerminal();
  if (terminal == nullptr) {
    return Error(Errc::kInvalid,
                 "there is no terminal to ask for the password on; give it with --password-file or --password-stdin");
  }
  const NoEcho no_echo(::fileno(terminal.get()));
  if (!no_echo.is_off()) {
    return Error(Errc::kInvalid, "the terminal would show the password; give it with --password-file");
  }
  const std::string password = AskLine(terminal.get(), "Password of " + user + ": ");
  std::fputs("\n", terminal.get());
  return CheckPassword(password);
}

Result<> AskToConfirm(const std::string& question) {
  const File terminal = OpenTerminal();
  if (terminal == nullptr)
    return Error(Errc::kInvalid, "there is no terminal to confirm this on; give --yes if you mean it");
  if (AskLine(terminal.get(), question + " Type yes to confirm: ") == "yes") return {};
  return Error(Errc::kDenied, "not confirmed; nothing was changed");
}

}  // namespace app
