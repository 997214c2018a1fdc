// HeaderWatch: what the way of a mail depends on, read from its header while it comes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mail {

// Fed a message in pieces, however it is cut; looks at its header only, whatever the size of that. Reads fields as
// HeaderReader does.
//
// Memory: none beside itself.
class HeaderWatch {
 public:
  void Add(std::string_view bytes);

  // How many Received fields there were: the hop count (RFC 5321 §6.3).
  std::uint32_t received_count() const { return received_count_; }
  bool has_message_id() const { return has_message_id_; }

 private:
  enum class State : std::uint8_t {
    kLineStart,
    kName,
    kBlankBeforeColon,  // "Received :" is read as "Received:".
    kRest,              // Of a line whose name has been read, or is none of ours.
    kEmptyLine,         // A CR is all of the line so far.
    kBody,              // Nothing is looked at any more.
  };
  void TakeNameByte(char c);
  void BeginLine(char c);
  void ContinueName(char c);
  void EndName();

  State state_ = State::kLineStart;
  std::string name_;  // Of the field, in lower case, as long as it can be one that is looked for.
  std::uint32_t received_count_ = 0;
  bool has_message_id_ = false;
};

}  // namespace mail
