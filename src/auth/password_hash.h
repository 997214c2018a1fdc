// Passwords against crypt(5) hashes, through libcrypt. All calls here are slow on purpose: they belong on a worker.
#pragma once

#include <string>

#include "base/result.h"

namespace auth {

// Whether `password` has this hash. A hash that libcrypt cannot use (a locked account's "!", an unknown method) matches
// nothing, and takes the time of one that it can.
bool MatchesHash(const std::string& password, const std::string& hash);

// Takes the time of MatchesHash on a hash of the default method, for accounts that do not exist.
void PretendToMatch(const std::string& password);

}  // namespace auth
