// The mailboxes that clients look for by their use (RFC 6154): what an account gets when it is made, and how those of
// an older account are recognised. Pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "store/types.h"

namespace store {

// A use and the mailbox that has it, or will.
using SpecialName = std::pair<SpecialUse, std::string>;

// For each use the first of the account's mailboxes that is called as such mailboxes are ("Sent", "Sent Items"), by
// itself or below INBOX; else the name of a new one. A use that a mailbox has already is left out.
std::vector<SpecialName> ChooseSpecialNames(const std::vector<Mailbox>& mailboxes);

}  // namespace store
