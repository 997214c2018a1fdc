// The tokens of a command (RFC 3501 §9): what the parsers of commands, FETCH items and SEARCH keys read with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace imap {

bool IsAtomChar(char c);
bool IsTagChar(char c);  // ASTRING-CHAR without "+".

// Walks over the text of one complete command as CommandReader delivers it, literals inside. Borrows the text.
// A failed call leaves the place undefined: the command is bad as a whole.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : rest_(text) {}

  bool AtEnd() const { return rest_.empty(); }
  // The next character, '\0' at the end.
  char Peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  // Takes `c` if it is next.
  bool Take(char c);
  // Takes `word` if it is next, in any case. It need not end there.
  bool TakeText(std::string_view word);

  base::Result<> Space();
  base::Result<> Expect(char c);
  // Nothing but spaces is left.
  base::Result<> End();

  base::Result<std::string> Tag();
  base::Result<std::string_view> Atom();
  // An atom in upper case: names of commands, keys and items.
  base::Result<std::string> Word();
  base::Result<std::uint32_t> Number();
  base::Result<std::uint32_t> NonZeroNumber();
  base::Result<std::uint64_t> ModSequence();  // RFC 7162 §7: 0 to 2^63 - 1.
  base::Result<std::string> String();         // Quoted or literal.
  base::Result<std::string> AString();        // An atom, in which "]" may stand, or a string.
  base::Result<std::string> ListPattern();    // An astring in which "%" and "*" may stand.
  // A run of the characters of a sequence set.
  base::Result<std::string_view> SetText();

 private:
  base::Result<std::string> Quoted();
  base::Result<std::string> Literal();
  std::string_view TakeWhile(bool (*wanted)(char));

  std::string_view rest_;
};

}  // namespace imap
