// Passwords and confirmations, asked for on the terminal or read from standard input. Never from arguments: those are
// visible to every user of the machine.
#pragma once

#include <istream>
#include <string>

#include "base/result.h"

namespace app {

// The first line of `in`, without its end. Errors: kInvalid (empty, or longer than any password may be).
base::Result<std::string> ReadPasswordLine(std::istream* in);

// Asks twice on the controlling terminal, without echo. Errors: kInvalid (no terminal, the two differ, empty).
base::Result<std::string> AskForPassword(const std::string& address);

// Asks once: for a password that somebody else checks. Errors: kInvalid (no terminal, empty).
base::Result<std::string> AskForPasswordOnce(const std::string& user);

// Asks on the controlling terminal; only "yes" confirms. Errors: kInvalid (no terminal), kDenied (another answer).
base::Result<> AskToConfirm(const std::string& question);

}  // namespace app
