// The parsers of the arguments that need more than a line: shared by command.cc, not meant for other folders.
#pragma once

#include <vector>

#include "imap/proto/command.h"
#include "imap/proto/lexer.h"

namespace imap {

// An astring that is a mailbox name.
base::Result<std::string> ParseMailbox(Lexer& in);
// "(\Seen work)"; the parentheses may be left out where `bare_allowed` (STORE).
base::Result<FlagSet> ParseFlagList(Lexer& in, bool bare_allowed, const ParseLimits& limits);
// A single item, a macro, or a list in parentheses.
base::Result<std::vector<FetchItem>> ParseFetchItems(Lexer& in, const ParseLimits& limits);
// What follows "LIST" and "LSUB".
base::Result<Command> ParseList(Lexer& in, const ParseLimits& limits);
base::Result<Command> ParseLsub(Lexer& in, const ParseLimits& limits);
// What follows "SEARCH ", with the charset if there is one.
base::Result<Search> ParseSearch(Lexer& in, const ParseLimits& limits);

}  // namespace imap
